/// Something that happened in a build; renderers turn events into what the user sees.
public enum BuildEvent: Sendable, Equatable {
  /// A phase began; `total` in `unit`, nil when it cannot be known before.
  case began(Phase, total: Int?, unit: Unit)
  /// So much of the phase is done in all, and what is worked on now.
  case advanced(Phase, done: Int, subject: String)
  case ended(Phase)
  /// A stage of the root began: it is taken from the store, or built for a reason.
  case stage(String, reason: String?)
  /// A stage that is built is finished.
  case stageEnded(String)
  /// A remark that a user wants to read once.
  case note(String)
  /// A line that a program in the root printed.
  case output(String)

  public enum Unit: String, Sendable, Codable { case bytes, items }

  /// A step of the job, in the order in which steps run.
  public enum Phase: String, Sendable, Codable, CaseIterable {
    case read, resolve, compile, fetch, unpack, configure, customise, normalise, image, hash,
      check, publish
  }
}

/// Where a stage sends its events; called from any thread, must not block.
public typealias EventSink = @Sendable (BuildEvent) -> Void
