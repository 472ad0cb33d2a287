internal import Synchronization

/// Counts since the start, in Prometheus' format.
final class Metrics: Sendable {
  private struct State {
    var boots: [String: Int] = [:]
    var trusted: [String: Bool] = [:]
  }
  private let state = Mutex(State())

  /// - Parameter result: `good`, `bad`, `host_fault` or `rollback`.
  func count(_ result: String, _ role: String) {
    let labels = labels(("role", role), ("result", result))
    state.withLock { $0.boots[labels, default: 0] += 1 }
  }

  /// Whether an image's catalog may be used.
  func set(_ image: String, isTrusted: Bool) { state.withLock { $0.trusted[image] = isTrusted } }

  func text(_ machines: [Machine], _ sessions: [AuthSession]) -> String {
    var lines = ["# TYPE snapshot_controller_boots_total counter"]
    let state = state.withLock { $0 }
    for (labels, count) in state.boots.sorted(by: { $0.key < $1.key }) {
      lines.append("snapshot_controller_boots_total{\(labels)} \(count)")
    }
    lines.append("# TYPE snapshot_controller_catalog_usable gauge")
    for (image, isTrusted) in state.trusted.sorted(by: { $0.key < $1.key }) {
      lines.append(
        "snapshot_controller_catalog_usable{\(labels(("image", image)))} \(isTrusted ? 1 : 0)")
    }
    lines.append("# TYPE snapshot_controller_vms gauge")
    lines += table(
      machines.map {
        labels(("role", $0.role), ("version", $0.version), ("state", $0.state.rawValue))
      }
    ).map { "snapshot_controller_vms{\($0)} \($1)" }
    lines.append("# TYPE snapshot_controller_auth_sessions gauge")
    lines += table(sessions.map { labels(("provider", $0.provider), ("status", $0.status)) })
      .map { "snapshot_controller_auth_sessions{\($0)} \($1)" }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Labels of a sample. What callers of the API gave may hold anything.
  private func labels(_ labels: (name: String, value: String)...) -> String {
    labels.map { name, value in
      let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        .replacing("\n", with: "\\n")
      return "\(name)=\"\(escaped)\""
    }.joined(separator: ",")
  }

  private func table(_ labels: [String]) -> [(String, Int)] {
    Dictionary(grouping: labels) { $0 }.map { ($0, $1.count) }.sorted { $0.0 < $1.0 }
  }
}
