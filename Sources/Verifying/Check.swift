public import Model

/// One rule that an image has to keep. A check is a file in `Checks`, and a line in `imageChecks`.
public protocol Check: Sendable {
  /// What reports, `--skip-check` and `[[allow]]` call it.
  var name: String { get }
  /// Where it looks: at the image, into its tree, or at a machine that booted it.
  var phase: Manifest.Check.Phase { get }
  /// Looks for what is wrong.
  ///
  /// - Throws: `NotJudged` when there is nothing to judge by; anything else is a failure of the check.
  func findings(in subject: Subject) throws -> [Finding]
}

extension Check {
  public var phase: Manifest.Check.Phase { .image }

  /// A finding of this check.
  func finding(
    _ place: String, _ message: String, hint: String? = nil, severity: Finding.Severity = .error
  ) -> Finding {
    Finding(severity, check: name, place: place, message, hint: hint)
  }
}

/// A check cannot judge this image: what it would compare with, or a tool, is not there.
public struct NotJudged: Error, Sendable, Equatable, CustomStringConvertible {
  public var reason: String
  public init(_ reason: String) { self.reason = reason }
  public var description: String { reason }
}

/// How one check ended.
public struct CheckResult: Sendable, Equatable, Encodable {
  public var name: String
  public var phase: Manifest.Check.Phase
  public var outcome: Manifest.Check.Result
  public var seconds: Double
  public var findings: [Finding]
  /// Why it was skipped, or what it saw.
  public var remark: String?

  public init(
    name: String, phase: Manifest.Check.Phase, outcome: Manifest.Check.Result, seconds: Double,
    findings: [Finding] = [], remark: String? = nil
  ) {
    self.name = name
    self.phase = phase
    self.outcome = outcome
    self.seconds = seconds
    self.findings = findings
    self.remark = remark
  }

  /// The result of a body that looks for findings, with the time it took.
  public static func timed(
    _ name: String, _ phase: Manifest.Check.Phase,
    _ body: () throws -> (findings: [Finding], remark: String?)
  ) throws -> CheckResult {
    let begin = ContinuousClock.now
    var result = CheckResult(name: name, phase: phase, outcome: .passed, seconds: 0)
    do {
      (result.findings, result.remark) = try body()
      switch result.findings.map(\.severity).max() {
      case .error: result.outcome = .failed
      case .warning: result.outcome = .warned
      case nil: result.outcome = .passed
      }
    } catch let error as NotJudged {
      result.outcome = .skipped
      result.remark = error.reason
    } catch let error as CancellationError {
      throw error
    } catch {
      result.outcome = .failed
      result.findings = [Finding(check: name, "the check itself failed: \(error)")]
    }
    let time = (ContinuousClock.now - begin).components
    let milliseconds = time.seconds * 1000 + time.attoseconds / 1_000_000_000_000_000
    result.seconds = Double(milliseconds) / 1000
    return result
  }
}

/// Runs checks one after another.
///
/// - Parameter skipping: names that the user wants left out; they appear in the results as skipped.
/// - Throws: `CancellationError`; what a check finds or throws is in its result.
public func run(
  _ checks: [any Check], on subject: Subject, skipping: Set<String> = [],
  onResult: (CheckResult) -> Void = { _ in }
) throws -> [CheckResult] {
  var results: [CheckResult] = []
  for check in checks {
    try Task.checkCancellation()
    var result: CheckResult
    if skipping.contains(check.name) {
      result = CheckResult(
        name: check.name, phase: check.phase, outcome: .skipped, seconds: 0,
        remark: "--skip-check was given")
    } else {
      result = try .timed(check.name, check.phase) { (try check.findings(in: subject), nil) }
      result = subject.allowing(result)
    }
    onResult(result)
    results.append(result)
  }
  return results
}
