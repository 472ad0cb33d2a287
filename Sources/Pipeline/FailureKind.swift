internal import Content
internal import Fetching
internal import Model
internal import Publishing
internal import Resolving

/// What sort of failure an error is; the program gives each sort an exit status of its own.
public enum FailureKind: Sendable, Equatable {
  /// The build or a check failed.
  case failed
  /// A recipe or a lock is at fault.
  case faultyRecipe
  /// A source cannot be reached: trying again later may help.
  case unreachable
  /// A fault of this program.
  case `internal`
  /// Another build holds the lock.
  case busy
  /// The release is published, but may not survive a power cut.
  case unconfirmed
  /// The user ended it.
  case interrupted

  public init(of error: any Error) {
    self =
      switch error {
      case is FaultyRecipe, is Diagnostic, is StaleLock: .faultyRecipe
      case ResolvingFailure.faulty: .faultyRecipe
      case ResolvingFailure.unreachable, FetchFailure.unreachable, FetchFailure.notFound,
        FetchFailure.offline:
        .unreachable
      case LockFailure.held: .busy
      case CatalogFailure.unconfirmed: .unconfirmed
      case is CancellationError: .interrupted
      case is Defect: .internal
      default: .failed
      }
  }
}

/// A lock that `--locked` forbids to change would have to.
public struct StaleLock: Error, Sendable, CustomStringConvertible {
  public var file: String
  public var reason: String

  public var description: String {
    "\(file):1:1: error: \(reason), and --locked was given; run 'build-snapshot lock' and commit the lock"
  }
}

/// A rule of this program that did not hold: a fault of ours, whatever the input was.
struct Defect: Error, CustomStringConvertible {
  var description: String
}
