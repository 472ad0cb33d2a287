internal import Terminal

#if canImport(Glibc)
  internal import Glibc
#endif

/// Programs of this machine that judge images.
enum HostTool {
  struct Result {
    var status: Int32
    /// Both streams.
    var output: [UInt8]
    var text: String { String(decoding: output, as: UTF8.self) }
  }

  /// The path of a program, also where only root looks; nil where it is not installed.
  static func path(_ name: String) -> String? {
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/bin", "/usr/local/sbin"]
      .map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
  }

  /// Runs a program to its end and takes what it says.
  ///
  /// - Throws: `ToolFailure` when it does not start or takes too long; `CancellationError`.
  static func run(
    _ words: [String], folder: String? = nil, timeLimit: Duration = .seconds(60)
  ) throws -> Result {
    let child = try Child.start(
      Command(
        words[0], Array(words.dropFirst()),
        environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"],
        folder: folder))
    child.endInput()
    let end = ContinuousClock.now + timeLimit
    var output: [UInt8] = []
    while true {
      switch child.next(before: min(end, .now + .milliseconds(200))) {
      case .output(let bytes), .errors(let bytes): if output.count < 1 << 22 { output += bytes }
      case .ended(.exited(let status)): return Result(status: status, output: output)
      case .ended(.signalled(let number)): return Result(status: 128 + number, output: output)
      case .deadline, .woken, .readable:
        if Task.isCancelled || .now >= end {
          child.stop(grace: .zero)
          if Task.isCancelled { throw CancellationError() }
          throw ToolFailure(program: words[0], reason: "it took longer than \(timeLimit)")
        }
      }
    }
  }
}

/// A program of this machine that could not do its part.
struct ToolFailure: Error, CustomStringConvertible {
  var program: String
  var reason: String
  var description: String { "running '\(program)': \(reason)" }
}
