/// Why this user gets no user namespace here, with the line that changes it.
public enum NamespaceObstacle: Sendable, Equatable, CustomStringConvertible {
  /// `/etc/subuid` or `/etc/subgid` gives the user too few ids; `start` is free in both files.
  case noSubordinateIDs(user: String, start: Int)
  case noMapProgram
  /// Debian's switch, off.
  case cloneSwitchedOff
  /// `user.max_user_namespaces` is zero.
  case limitIsZero
  /// Ubuntu's restriction: namespaces of programs without a profile have no capabilities.
  case apparmor(program: String)
  /// Not enough ids are mapped where root itself is in a namespace.
  case tooFewIDs(count: Int)
  /// newuidmap or newgidmap refused.
  case mapRefused(program: String, reason: String)
  /// None of the known reasons.
  case unknown(operation: String, reason: String)

  public var description: String {
    switch self {
    case .noSubordinateIDs(let user, let start):
      "user '\(user)' has no range of \(neededIDs) subordinate user and group ids; as root: "
        + "usermod --add-subuids \(start)-\(start + 65535) --add-subgids \(start)-\(start + 65535) "
        + user
    case .noMapProgram:
      "the programs 'newuidmap' and 'newgidmap' are missing; as root: apt install uidmap"
    case .cloneSwitchedOff:
      "user namespaces are switched off for plain users; as root: "
        + "sysctl -w kernel.unprivileged_userns_clone=1"
    case .limitIsZero:
      "user namespaces are limited to none; as root: sysctl -w user.max_user_namespaces=65536"
    case .apparmor(let program):
      "AppArmor keeps capabilities from the user namespaces of '\(program)'; as root, for this "
        + "program: echo 'abi <abi/4.0>, profile build-snapshot \"\(program)\" flags=(unconfined) "
        + "{ userns, }' > /etc/apparmor.d/build-snapshot && "
        + "apparmor_parser -r /etc/apparmor.d/build-snapshot; or for all: "
        + "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    case .tooFewIDs(let count):
      "only \(count) ids are mapped in the namespace around us, and an image needs \(neededIDs); "
        + "run as a plain user with subordinate ids, or in a container with 65536 ids"
    case .mapRefused(let program, let reason): "'\(program)' refused to map ids: \(reason)"
    case .unknown(let operation, let reason):
      "cannot make a user namespace: \(operation): \(reason); a container may forbid it: run it "
        + "with '--security-opt seccomp=unconfined --security-opt apparmor=unconfined'"
    }
  }
}

/// What of the machine and the user decides whether a user namespace can be had.
struct NamespaceFacts: Equatable, Sendable {
  /// The login name, else the number.
  var user: String
  var isRoot: Bool
  /// The whole maps that the user may have.
  var userMap: [IDMapping]
  var groupMap: [IDMapping]
  /// An id from which 65536 are free in `/etc/subuid` and `/etc/subgid`.
  var freeID: Int
  var hasMapPrograms: Bool
  /// `kernel.unprivileged_userns_clone`; nil where the kernel has no such switch.
  var cloneSwitch: Int?
  /// `user.max_user_namespaces`.
  var limit: Int?
  /// `kernel.apparmor_restrict_unprivileged_userns`.
  var apparmorSwitch: Int?
  /// The program's file.
  var program: String
}

extension NamespaceFacts {
  /// What stands in the way for certain, known without trying.
  var obstacle: NamespaceObstacle? {
    if limit == 0 { return .limitIsZero }
    if isRoot {
      return suffices(userMap) && suffices(groupMap)
        ? nil : .tooFewIDs(count: min(userMap.ids, groupMap.ids))
    }
    if cloneSwitch == 0 { return .cloneSwitchedOff }
    if !suffices(userMap) || !suffices(groupMap) {
      return .noSubordinateIDs(user: user, start: freeID)
    }
    return hasMapPrograms ? nil : .noMapProgram
  }

  /// The likely reason after the kernel refused `operation`.
  func obstacle(after operation: String, reason: String, isPermission: Bool) -> NamespaceObstacle {
    if let known = obstacle { return known }
    if isPermission, !isRoot, let apparmorSwitch, apparmorSwitch != 0 {
      return .apparmor(program: program)
    }
    return .unknown(operation: operation, reason: reason)
  }
}

extension [IDMapping] {
  /// How many ids it maps.
  fileprivate var ids: Int { reduce(0) { $0 + $1.count } }
}
