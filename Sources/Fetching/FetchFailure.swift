public import Model
public import SystemPackage

/// Why something could not be fetched.
public enum FetchFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// An address, without what may be secret in it, and what came of it last.
  public struct Attempt: Sendable, Equatable {
    public var url: String
    public var reason: String

    public init(url: String, reason: String) {
      self.url = url
      self.reason = reason
    }
  }

  /// Something that none of its addresses has.
  public struct Missing: Sendable, Equatable {
    public var name: String
    public var urls: [String]

    public init(name: String, urls: [String]) {
      self.name = name
      self.urls = urls
    }
  }

  /// Names of what the store lacks, and nothing may be fetched.
  case offline([String])
  case notFound([Missing])
  /// No address could be reached, or none answered as it should, also after waiting.
  case unreachable(String, [Attempt])
  case wrongContent(String, url: String, expected: ContentHash, actual: ContentHash)
  /// `actual` is nil when the transfer was cut off at the expected size.
  case wrongSize(String, url: String, expected: Int, actual: Int?)
  /// A file of unknown hash has more bytes than it may have.
  case tooLarge(String, url: String, limit: Int)
  /// So many bytes that are still to come have no room.
  case diskFull(store: FilePath, needed: Int)
  /// libcurl itself fails.
  case library(String)

  public var description: String {
    switch self {
    case .offline(let names):
      "not in the store and --offline was given: \(listed(names.map { "'\($0)'" }))"
    case .notFound(let missing):
      "not found: "
        + listed(
          missing.map { item in
            "'\(item.name)'" + (item.urls.isEmpty ? "" : " at ")
              + item.urls.map { "'\($0)'" }.joined(separator: " or ")
          })
        + "; the source may have moved on: try 'lock --update'"
    case .unreachable(let name, let attempts):
      "cannot fetch '\(name)': "
        + attempts.map { "'\($0.url)': \($0.reason)" }.joined(separator: "; ")
    case .wrongContent(let name, let url, let expected, let actual):
      "'\(name)' from '\(url)' has other bytes than expected: "
        + "sha256 '\(actual)' instead of '\(expected)'"
    case .wrongSize(let name, let url, let expected, let actual?):
      "'\(name)' from '\(url)' has \(actual) bytes instead of \(expected)"
    case .wrongSize(let name, let url, let expected, nil):
      "'\(name)' from '\(url)' has more than the expected \(expected) bytes"
    case .tooLarge(let name, let url, let limit):
      "'\(name)' from '\(url)' has more than the allowed \(limit) bytes"
    case .diskFull(let store, let needed):
      "the store's disk is full: no room in '\(store)' for the \(needed) bytes to fetch; "
        + "free some space or name another store with --store"
    case .library(let reason): "cannot use libcurl: \(reason)"
    }
  }
}

/// The first eight of some names, and how many more there are.
private func listed(_ names: [String]) -> String {
  let most = 8
  let shown = names.prefix(most).joined(separator: ", ")
  return names.count > most ? "\(shown) and \(names.count - most) more" : shown
}
