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

  /// Starts it with progress as JSON lines and sends a signal when a phase begins.
  ///
  /// - Returns: how it ended; `errors` holds all progress lines.
  func run(_ arguments: [String], sending number: Int32, when phase: String) throws -> ToolResult {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Self.path)
    process.arguments = arguments + ["--progress", "json"]
    process.currentDirectoryURL = URL(fileURLWithPath: folder.string)
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let pipe = Pipe()
    process.standardError = pipe
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    var seen = Data()
    var isSent = false
    while true {
      let piece = pipe.fileHandleForReading.availableData
      if piece.isEmpty { break }
      seen += piece
      if !isSent, String(decoding: seen, as: UTF8.self).contains("\"phase\":\"\(phase)\"") {
        isSent = true
        kill(process.processIdentifier, number)
      }
    }
    process.waitUntilExit()
    let status = process.terminationStatus
    return ToolResult(
      status: process.terminationReason == .uncaughtSignal ? -status : status, output: "",
      errors: String(decoding: seen, as: UTF8.self))
  }
}
