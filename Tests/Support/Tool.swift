public import Foundation

/// What a program printed and how it ended.
public struct ToolResult: Sendable {
  /// The exit status, or minus the signal's number.
  public var status: Int32
  public var output: String
  public var errors: String

  public init(status: Int32, output: String, errors: String) {
    self.status = status
    self.output = output
    self.errors = errors
  }

  /// Itself, when the program ended with status 0.
  public func succeeded() throws -> ToolResult {
    guard status == 0 else { throw ToolFailure(result: self) }
    return self
  }
}

/// A program that a test needs ended with another status than 0.
public struct ToolFailure: Error, CustomStringConvertible {
  public var result: ToolResult
  public var description: String { "status \(result.status): \(result.errors)\(result.output)" }
}

/// Runs a program found on PATH (with the sbin folders) and waits for it; both streams go to files,
/// so that no amount of output can block it.
public func runTool(
  _ name: String, _ arguments: [String] = [], environment: [String: String] = [:],
  input: Data? = nil, folder: String? = nil
) throws -> ToolResult {
  let scratch = try TemporaryFolder()
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = [name] + arguments
  var variables = ProcessInfo.processInfo.environment
  variables["PATH", default: "/usr/bin:/bin"] += ":/usr/sbin:/sbin"
  variables["LC_ALL"] = "C.UTF-8"
  process.environment = variables.merging(environment) { $1 }
  if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
  let output = try scratch.write("output", "")
  let errors = try scratch.write("errors", "")
  process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output.string))
  process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errors.string))
  let source = try scratch.write("input", Array(input ?? Data()))
  process.standardInput = try FileHandle(forReadingFrom: URL(fileURLWithPath: source.string))
  try process.run()
  process.waitUntilExit()
  let status = process.terminationStatus
  return ToolResult(
    status: process.terminationReason == .uncaughtSignal ? -status : status,
    output: String(
      decoding: try Data(contentsOf: URL(fileURLWithPath: output.string)), as: UTF8.self),
    errors: String(
      decoding: try Data(contentsOf: URL(fileURLWithPath: errors.string)), as: UTF8.self))
}

/// Whether a program is on PATH or in an sbin folder: the gate of tests that need it.
public func hasTool(_ name: String) -> Bool {
  let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
  return (path + ":/usr/sbin:/sbin").split(separator: ":").contains {
    FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
  }
}

/// The words of a command that runs without root's capabilities, as services in an image do: what needs
/// one must fail in a test already.
public func unprivileged(_ words: [String]) -> [String] {
  isRoot && hasTool("setpriv") ? ["setpriv", "--bounding-set=-all"] + words : words
}
