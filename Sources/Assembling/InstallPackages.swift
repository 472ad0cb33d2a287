internal import Content
public import Isolation
public import Model
internal import SystemPackage

/// What installing packages needs to know beside the packages.
public struct InstallOptions: Sendable {
  /// Names of the packages that the recipe asks for; apt may remove all others as unneeded. Nil leaves
  /// apt's note of that to the caller, who knows all transactions.
  public var manual: Set<String>?
  /// `SOURCE_DATE_EPOCH`, seconds since 1970.
  public var epoch: Int
  /// How many debs are unpacked at a time.
  public var jobs: Int

  public init(manual: Set<String>?, epoch: Int, jobs: Int) {
    self.manual = manual
    self.epoch = epoch
    self.jobs = jobs
  }
}

/// Installs packages of a lock into a root, as user 0 of a user namespace or as root: into an empty
/// folder, or on top of packages that an earlier call has installed and configured there.
///
/// Debs are checked and unpacked on several threads, dpkg's database is written, and dpkg then
/// configures everything in the root: first what is essential, then the rest, then the triggers. A
/// package that plain unpacking cannot do as dpkg would goes through `dpkg --unpack`. No program may
/// have changed a file of a package in the end.
///
/// - Parameters:
///   - packages: with what is installed already they depend on nothing else. Essential ones belong
///     into the first transaction, `base-files` and `base-passwd` among them.
///   - supply: has their debs; a damaged one is removed from its store. While dpkg configures, it makes ready
///     what it expects to be asked for next.
///   - sandbox: runs programs in the root; its `root` is the folder that is filled.
///   - addUsers: called in the first transaction, once `/etc/passwd` and `/etc/group` are there and before anything adds users,
///     so that users and groups with fixed numbers can be written.
/// - Throws: `PackageFailure`, `IsolationFailure`, `CancellationError`, what `addUsers` throws.
public func installPackages(
  _ packages: [Lock.Package], from supply: DebSupply, in sandbox: Sandbox, options: InstallOptions,
  events: @escaping EventSink, addUsers: () throws -> Void
) async throws {
  let root = try RootFolder(sandbox.root)
  let ground = try Ground(in: root)
  let plan = try await unpackPackages(
    packages, from: supply, into: root, on: ground, options: options, events: events)
  supply.workAhead()
  let check = try FileCheck(in: root)
  try Configuration(
    plan: plan, ground: ground, root: root, store: supply.store, sandbox: sandbox,
    epoch: options.epoch,
    events: events
  ).run(addUsers: addUsers)
  let findings = try check.findings(in: sandbox)
  guard findings.isEmpty else { throw PackageFailure.changed(findings: findings) }
}

/// Unpacks packages and writes the databases of dpkg and apt; no program of the root runs.
///
/// - Returns: the plan, which names the packages that are left to `dpkg --unpack`.
func unpackPackages(
  _ packages: [Lock.Package], from supply: DebSupply, into root: RootFolder, on ground: Ground,
  options: InstallOptions, events: @escaping EventSink
) async throws -> UnpackPlan {
  let size = packages.reduce(0) { $0 + $1.deb.size }
  events(.began(.unpack, total: size, unit: .bytes))
  let unpacker = Unpacker(
    root: root, ground: ground, supply: supply, jobs: max(1, options.jobs), events: events)
  let architecture = packages.first { $0.architecture != "all" }?.architecture ?? "all"
  var plan = UnpackPlan(
    try await unpacker.readDebs(packages), architecture: architecture, on: ground)
  var unpacked = try await unpacker.unpack(&plan)
  while unpacked == nil {
    // Each round sends at least one more package through dpkg, so this ends.
    try root.clear(down: ground)
    unpacked = try await unpacker.unpack(&plan)
  }
  let pairs = zip(plan.debs, unpacked ?? []).compactMap { deb, files in files.map { (deb, $0) } }
  try DpkgDatabase(root: root, ground: ground).write(pairs)
  if let manual = options.manual { try writeExtendedStates(of: packages, manual: manual, in: root) }
  events(.ended(.unpack))
  return plan
}
