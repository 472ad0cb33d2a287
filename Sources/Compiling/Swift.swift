internal import Subprocess
internal import SystemPackage

/// Runs `swift`, or another program of its toolchain, with this process's environment.
///
/// - Returns: what it printed on standard output.
/// - Throws: `.noCompiler`; `failure` of what it printed when it fails; cancelling the task ends it.
func swift(
  _ arguments: [String], program: String = "swift", for product: String,
  failure: (String) -> CompilingFailure
) async throws -> String {
  var options = PlatformOptions()
  // On SIGINT SwiftPM ends its compilers before itself.
  options.teardownSequence = [.send(signal: .interrupt, allowedDurationToNextStep: .seconds(5))]
  do {
    let result = try await run(
      .name(program), arguments: Arguments(arguments),
      environment: .inherit.updating(["LC_ALL": "C.UTF-8"]), platformOptions: options,
      output: .string(limit: 64 << 20), error: .string(limit: 64 << 20))
    try Task.checkCancellation()
    guard result.terminationStatus.isSuccess else {
      throw failure(lastLines(of: result.standardError + result.standardOutput))
    }
    return result.standardOutput
  } catch let error as SubprocessError where error.code == .executableNotFound {
    throw CompilingFailure.noCompiler(product: product)
  }
}

/// What a compiler said last: the errors, where there are any, else the end.
private func lastLines(of text: String) -> String {
  let lines = text.split(separator: "\n")
  let errors = lines.filter { $0.contains("error:") }
  return (errors.isEmpty ? lines.suffix(20) : errors.prefix(20)).joined(separator: "\n")
}
