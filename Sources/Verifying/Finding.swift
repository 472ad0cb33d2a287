/// Something that a check has to say against an image.
public struct Finding: Sendable, Equatable, Encodable, CustomStringConvertible {
  public enum Severity: String, Sendable, Codable, Comparable {
    /// Worth knowing; the image may be published.
    case warning
    /// The image is not published.
    case error

    public static func < (left: Severity, right: Severity) -> Bool {
      left == .warning && right == .error
    }
  }

  public var severity: Severity
  /// The name of the check that found it.
  public var check: String
  /// Where: a path in the image, a unit, a test's name; empty for the image as a whole.
  public var place: String
  /// What is wrong: lower case, no full stop, names in '…'.
  public var message: String
  /// What to do about it, when we know.
  public var hint: String?

  public init(
    _ severity: Severity = .error, check: String, place: String = "", _ message: String,
    hint: String? = nil
  ) {
    self.severity = severity
    self.check = check
    self.place = place
    self.message = message
    self.hint = hint
  }

  public var description: String {
    "\(severity == .error ? "error" : "warning"): \(check): "
      + (place.isEmpty ? "" : "\(place): ") + message + (hint.map { "; \($0)" } ?? "")
  }
}
