import Foundation
import Support
import SystemPackage

/// The program under test, as SwiftPM built it beside the test bundle.
struct Program {
  static let path = builtProgram("build-snapshot")

  var folder: FilePath
  var environment: [String: String] = [:]

  /// Runs it to its end.
  func run(_ arguments: String...) throws -> ToolResult { try run(arguments) }

  func run(_ arguments: [String]) throws -> ToolResult {
    try runTool(Self.path, arguments, environment: environment, folder: folder.string)
  }

  /// Runs it and sends a signal when a phase begins.
  ///
  /// - Returns: how it ended; `errors` holds all progress lines.
  func run(_ arguments: [String], sending number: Int32, when phase: String) throws -> ToolResult {
    let running = try start(arguments)
    try running.wait(for: phase)
    running.send(number)
    return running.end()
  }

  /// Starts it with progress as JSON lines.
  func start(_ arguments: [String]) throws -> RunningProgram {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Self.path)
    process.arguments = arguments + ["--progress", "json"]
    process.currentDirectoryURL = URL(fileURLWithPath: folder.string)
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let pipe = Pipe()
    process.standardError = pipe
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    return RunningProgram(process: process, pipe: pipe.fileHandleForReading)
  }
}

/// The program at work.
final class RunningProgram {
  private let process: Process
  private let pipe: FileHandle
  private var seen = Data()

  init(process: Process, pipe: FileHandle) { (self.process, self.pipe) = (process, pipe) }

  /// Reads progress until a phase begins.
  func wait(for phase: String) throws {
    while !String(decoding: seen, as: UTF8.self).contains("\"phase\":\"\(phase)\"") {
      let piece = pipe.availableData
      if piece.isEmpty { throw EndedEarly(phase: phase, result: end()) }
      seen += piece
    }
  }

  /// The process that does the work, below those that only wait for it.
  var innermost: pid_t {
    var process = process.processIdentifier
    while true {
      let path = "/proc/\(process)/task/\(process)/children"
      let children = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
      let same = children.split(separator: " ").compactMap { pid_t($0) }.first {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\($0)/exe"))
          == Program.path
      }
      guard let same else { return process }
      process = same
    }
  }

  func send(_ number: Int32) { kill(process.processIdentifier, number) }

  /// Waits for its end.
  func end() -> ToolResult {
    seen += pipe.readDataToEndOfFile()
    process.waitUntilExit()
    let status = process.terminationStatus
    return ToolResult(
      status: process.terminationReason == .uncaughtSignal ? -status : status, output: "",
      errors: String(decoding: seen, as: UTF8.self))
  }
}

/// The program ended before a phase began.
struct EndedEarly: Error, CustomStringConvertible {
  var phase: String
  var result: ToolResult
  var description: String { "ended before '\(phase)': status \(result.status): \(result.errors)" }
}
