internal import Isolation

/// Runs the rest of the program as user 0 of a user namespace, as `build` needs it.
///
/// - Returns: nil inside the namespace; outside, the exit status of the program that ran inside.
public func enterNamespace() throws -> Int32? { try runInNamespace() }

/// Whether this is the process inside.
public var isInNamespace: Bool { Isolation.isInNamespace }
