internal import Model
internal import SystemPackage

/// A wheel as pip would take it.
struct PipWheel: Sendable, Equatable {
  var version: String
  var url: String
  /// Nil where pip does not tell.
  var sha256: ContentHash?

  var fileName: String {
    percentDecoded(url.prefix { $0 != "#" && $0 != "?" }.split(separator: "/").last ?? "")
  }
}

extension Resolver {
  /// Locks every wheel: as the old lock has it, or as pip, in the user's own configuration, finds it.
  func lockWheels(
    _ recipe: Recipe, old: [Lock.Wheel], in folder: FilePath
  ) async throws -> [Lock.Wheel] {
    var locked: [Lock.Wheel] = []
    for wheel in recipe.wheels {
      let requirement = try WheelRequirement(wheel)
      let known = old.first { $0.name == requirement.name && $0.version == requirement.version }
      if let known {
        locked.append(known)
        continue
      }
      let found = try await askPip(requirement, recipe.base, in: folder)
      locked.append(
        Lock.Wheel(
          name: requirement.name, version: found.version,
          file: try await learn(
            "wheel \(requirement.name)", path: found.fileName, sha256: found.sha256,
            urls: [found.url])))
    }
    return locked.sorted { $0.name < $1.name }
  }

  /// Where a locked wheel can be had now.
  func address(
    of locked: Lock.Wheel, for wheel: Recipe.Wheel, _ base: Recipe.Base, in folder: FilePath
  ) async throws -> String {
    let found = try await askPip(try WheelRequirement(wheel), base, in: folder)
    if let sha256 = found.sha256, sha256 != locked.file.sha256 {
      throw ResolvingFailure.untrusted(
        file: found.fileName, .wrongHash(expected: locked.file.sha256, actual: sha256))
    }
    return found.url
  }

  private func askPip(
    _ requirement: WheelRequirement, _ base: Recipe.Base, in folder: FilePath
  ) async throws -> PipWheel {
    let report = folder.appending("pip-report.json")
    let arguments = [
      "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps",
      "--report", report.string, "--target", folder.appending("pip-target").string,
      "--only-binary", ":all:", "--implementation", "cp", "--python-version", "3.11", "--no-input",
      "--disable-pip-version-check",
    ]
    let platforms = platformTags(of: base).flatMap { ["--platform", $0] }
    let result = try await run(
      "python3", arguments + platforms + ["\(requirement.name)==\(requirement.version)"],
      environment: .inherited)
    guard result.isSuccess else { throw pipFailure(result, requirement) }
    do {
      guard let wheel = try PipWheel(report: JSONNode.parse(text(of: report))) else {
        throw result.failure(of: "pip")
      }
      return wheel
    } catch is JSONFault { throw result.failure(of: "pip") }
  }

  private func pipFailure(
    _ result: ProgramResult, _ requirement: WheelRequirement
  ) -> ResolvingFailure {
    let errors = result.errors
    let name = "wheel \(requirement.name)==\(requirement.version)"
    let lastLine = errors.split(whereSeparator: \.isNewline).last.map(String.init) ?? errors
    for sign in [
      "Retrying (", "Max retries", "Could not fetch URL", "ConnectionError", "ProxyError",
    ]
    where errors.contains(sign) {
      return .unreachable(name: name, reason: lastLine)
    }
    if errors.contains("No module named pip") { return .noProgram("pip (python3-pip)") }
    if errors.contains("no such option") {
      return .failed(
        program: "pip", status: "is too old", output: "wheels need pip 22.2 or later")
    }
    if errors.contains("No matching distribution found")
      || errors.contains("Could not find a version")
    {
      var hint: String?
      if let start = errors.firstRange(of: "(from versions: ")?.upperBound {
        let versions = errors[start...].prefix { $0 != ")" }
        hint = versions == "none" ? "pip knows no wheel of that name" : "pip knows \(versions)"
      }
      return .faulty([
        Diagnostic(
          at: requirement.position,
          "there is no wheel '\(requirement.name)==\(requirement.version)' for this base",
          hint: hint)
      ])
    }
    return result.failure(of: "pip")
  }
}

/// `name==version`, with the name as package indices spell it.
struct WheelRequirement: Sendable, Equatable {
  var name: String
  var version: String
  var position: SourcePosition

  init(_ wheel: Recipe.Wheel) throws(ResolvingFailure) {
    position = wheel.position
    let parts = wheel.package.split(separator: "=", omittingEmptySubsequences: false)
    let isName = { (text: Substring) in
      text.first?.isLetter == true || text.first?.isNumber == true
    }
    guard parts.count == 3, parts[1].isEmpty, isName(parts[0].trimmed[...]),
      isName(parts[2].trimmed[...])
    else {
      throw .faulty([
        Diagnostic(
          at: wheel.position, "'\(wheel.package)' does not name one version of a wheel",
          hint: "write 'name==1.2.3'")
      ])
    }
    name = normalised(parts[0].trimmed)
    version = parts[2].trimmed
  }
}

extension PipWheel {
  /// Reads pip's installation report. Source: pip's "Installation Report" page, version 1.
  init?(report: JSONNode) {
    guard let item = report["install"]?.array?.first, let info = item["download_info"],
      let url = info["url"]?.string, let version = item["metadata"]?["version"]?.string
    else { return nil }
    self.url = url
    self.version = version
    let archive = info["archive_info"]
    let old = archive?["hash"]?.string?.split(separator: "=")
    sha256 =
      archive?["hashes"]?["sha256"]?.string.flatMap { ContentHash(hex: $0) }
      ?? (old?.first == "sha256" ? old?.last.flatMap { ContentHash(hex: $0) } : nil)
  }
}

/// A project's name as PEP 503 normalises it.
func normalised(_ name: String) -> String {
  name.lowercased().split(whereSeparator: { "-_.".contains($0) }).joined(separator: "-")
}

/// The platforms whose wheels run on a base, best first.
///
/// What decides is the C library: 2.35 in Ubuntu 22.04, 2.36 in Debian 12. Source: PEP 600.
func platformTags(of base: Recipe.Base) -> [String] {
  let minor =
    [
      "focal": 31, "bullseye": 31, "jammy": 35, "bookworm": 36, "noble": 39, "trixie": 41,
    ][base.suite] ?? 31
  let machine = ["amd64": "x86_64", "arm64": "aarch64"][base.architecture] ?? base.architecture
  let oldest = machine == "x86_64" ? 5 : 17
  let modern = stride(from: minor, through: oldest, by: -1).map { "manylinux_2_\($0)_\(machine)" }
  let named = machine == "x86_64" ? ["2014", "2010", "1"] : ["2014"]
  return modern + named.map { "manylinux\($0)_\(machine)" } + ["linux_\(machine)"]
}
