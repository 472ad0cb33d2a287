internal import Foundation
public import SystemPackage

/// Makes one call of a program fail, or be its last: a library that is compiled for the test and preloaded
/// (`Tests/Fixtures/failing-calls.c`).
///
/// Calls are counted over all threads of the program, and only those that work below given folders: so the
/// same number means the same call in each run, which a tracer's counters do not give.
public struct FailingCalls: Sendable {
  public enum Fault: String, Sendable, CaseIterable {
    /// The process dies instead of making the call.
    case kill = "KILL"
    case inputOutputError = "EIO"
    case noSpace = "ENOSPC"
    /// All later calls that change anything find no space either.
    case noSpaceFromThenOn = "ENOSPC from then on"
  }

  private let library: FilePath
  private let log: FilePath
  private let program: String
  private let places: [FilePath]
  private let changesOnly: Bool

  /// - Parameters:
  ///   - program: the file of the program.
  ///   - places: the folders whose calls count.
  ///   - changesOnly: counts no call that only looks.
  ///   - folder: takes the library and its log.
  public init(
    of program: String, on places: [FilePath], changesOnly: Bool = false,
    in folder: TemporaryFolder
  ) throws {
    self.changesOnly = changesOnly
    library = folder / "failing-calls.so"
    log = folder / "failing-calls.log"
    self.program = URL(fileURLWithPath: program).resolvingSymlinksInPath().path
    self.places = places
    let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Fixtures/failing-calls.c").path
    _ = try runTool(
      "clang", ["-shared", "-fPIC", "-O1", "-o", library.string, source]
    ).succeeded()
  }

  /// What the program must find in its environment; without a fault the calls are only counted.
  ///
  /// - Parameter number: which call, from 1 on.
  public func environment(_ fault: Fault? = nil, at number: Int = 0) -> [String: String] {
    // There is none yet, as a rule.
    try? FileManager.default.removeItem(atPath: log.string)
    var variables = [
      "LD_PRELOAD": library.string, "FAULT_PROGRAM": program, "FAULT_LOG": log.string,
      "FAULT_PLACES": places.map(\.string).joined(separator: ":"),
    ]
    if changesOnly { variables["FAULT_CHANGES"] = "1" }
    guard let fault else { return variables }
    variables["FAULT_AT"] = "\(number)"
    switch fault {
    case .kill: variables["FAULT_DO"] = "KILL"
    case .inputOutputError: variables["FAULT_DO"] = "5"
    case .noSpace: variables["FAULT_DO"] = "28"
    case .noSpaceFromThenOn:
      variables["FAULT_DO"] = "28"
      variables["FAULT_STAYS"] = "1"
    }
    return variables
  }

  /// The calls of the last run that were counted, or the one that was hit, each as `number name path`.
  public var calls: [String] {
    // No file: the program made no such call.
    let text = (try? String(contentsOfFile: log.string, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").map { String($0) }
  }
}
