internal import ArgumentParser
internal import Dispatch
internal import Pipeline

#if canImport(Glibc)
  internal import Glibc
#endif

/// Runs a command's work: shows progress, ends at once on Ctrl-C, and turns an error into one message
/// and an exit status.
func running(
  _ options: CommonOptions, _ work: @escaping @Sendable (Progress) async throws -> Void
) async throws {
  unblockSignals()
  let progress = options.makeProgress()
  let task = Task { try await work(progress) }
  let signals = [SIGINT, SIGTERM, SIGHUP].map { number in
    signal(number, SIG_IGN)  // the source below gets it instead
    let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
    source.setEventHandler { task.cancel() }
    source.resume()
    return source
  }
  defer { signals.forEach { $0.cancel() } }
  do {
    try await task.value
    progress.close()
  } catch {
    progress.close()
    let kind = FailureKind(of: error)
    // A release that is out is out, whoever pressed Ctrl-C meanwhile.
    throw told(error, as: task.isCancelled && kind != .unconfirmed ? .interrupted : kind)
  }
}

/// Runs the rest of the program as user 0 of a user namespace; the outer process ends here.
///
/// - Parameter check: what the outer process looks at first, so that a faulty recipe is told even
///   where there are no user namespaces.
func enteringNamespace(after check: () throws -> Void) throws {
  unblockSignals()
  var status: Int32?
  do {
    if !isInNamespace { try check() }
    status = try enterNamespace()
  } catch { throw told(error, as: FailureKind(of: error)) }
  if let status { throw ExitCode(status) }
}

/// Tells the user of an error; returns the exit status to end with.
private func told(_ error: any Error, as kind: FailureKind) -> ExitCode {
  StandardError.write(kind.message(for: error))
  return ExitCode(kind.exitStatus)
}

/// Takes signals again that whoever started us had blocked: a build must end when it is told to.
private func unblockSignals() {
  var all = sigset_t()
  sigfillset(&all)
  sigprocmask(SIG_UNBLOCK, &all, nil)
}

extension FailureKind {
  /// What the exit statuses mean is part of the program's contract.
  var exitStatus: Int32 {
    switch self {
    case .failed: 1
    case .faultyRecipe: 65
    case .unreachable: 69
    case .internal: 70
    case .unconfirmed: 74
    case .busy: 75
    case .interrupted: 130
    }
  }

  /// Diagnostics print as compilers print; anything else is one line after the program's name.
  func message(for error: any Error) -> String {
    switch self {
    case .faultyRecipe: "\(error)\n"
    case .interrupted: "build-snapshot: interrupted; nothing was published\n"
    case .internal: "build-snapshot: internal error: \(error)\n"
    case .failed, .unreachable, .unconfirmed, .busy: "build-snapshot: \(error)\n"
    }
  }
}
