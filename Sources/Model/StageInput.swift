/// One of the things that decide what a stage of a build makes, as people know it.
public struct StageInput: Sendable, Hashable, Codable {
  /// `package chromium`, `agent vm-browser-agent: server.js`.
  public var name: String
  /// What people see of it, such as a version; nil where a hash would say nothing.
  public var value: String?
  /// Tells any two contents apart.
  public var identity: String

  public init(_ name: String, _ value: String? = nil, identity: String = "") {
    self.name = name
    self.value = value
    self.identity = identity
  }
}

/// The first input that differs between an earlier build of a stage and this one, in words; nil when
/// none does.
public func firstDifference(from old: [StageInput], to new: [StageInput]) -> String? {
  let before = Dictionary(old.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  for input in new {
    guard let other = before[input.name], other != input else { continue }
    if let left = other.value, let right = input.value, left != right {
      return "\(input.name): \(left) → \(right)"
    }
    return "\(input.name) changed"
  }
  if let added = new.first(where: { before[$0.name] == nil }) { return "\(added.name) added" }
  let names = Set(new.map(\.name))
  if let removed = old.first(where: { !names.contains($0.name) }) {
    return "\(removed.name) removed"
  }
  return old == new ? nil : "the order of \(new.first?.name ?? "its inputs") changed"
}
