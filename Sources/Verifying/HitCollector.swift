internal import Synchronization

/// Collects secrets and names of the build machine in the files of an image, from several threads.
public final class HitCollector: Sendable {
  /// How much of a file's text around a match is looked at.
  private static let after = 240
  /// Parts of a file that are scanned apart overlap by so much: that, and what comes before a match.
  public static let overlap = after + 16

  private let machine: BuildMachine
  private let scanner: PatternScanner
  private let hits = Mutex<Set<Survey.Hit>>([])

  public init(_ machine: BuildMachine) {
    self.machine = machine
    scanner = PatternScanner(surveyPatterns(machine))
  }

  /// - Returns: whether something was found.
  public func scan(_ node: Int, _ bytes: UnsafeRawBufferPointer) -> Bool {
    var isHit = false
    scanner.scan(bytes) { pattern, at in
      let after = Array(bytes[at..<min(at + Self.after, bytes.count)])
      guard isMeant(pattern, after, behind: at > 0 ? bytes[at - 1] : 0) else { return }
      isHit = true
      hits.withLock { _ = $0.insert(Survey.Hit(node: node, pattern: pattern)) }
    }
    return isHit
  }

  /// Whether what stands around a pattern makes it what the pattern looks for.
  private func isMeant(_ number: Int, _ text: [UInt8], behind before: UInt8) -> Bool {
    let pattern = scanner.patterns[number]
    let rest = text.dropFirst(pattern.count)
    if number < SecretForm.all.count {
      // A token does not begin in the middle of a word.
      return !isLetterOrDigit(before) && SecretForm.all[number].isSecret(rest)
    }
    let isHost = machine.hostName.map { Array($0.utf8) } == pattern
    return !isLetterOrDigit(rest.first ?? 0) && !(isHost && isLetterOrDigit(before))
  }

  /// Everything that was found, sorted.
  public var all: [Survey.Hit] {
    hits.withLock { $0 }.sorted { ($0.node, $0.pattern) < ($1.node, $1.pattern) }
  }
}
