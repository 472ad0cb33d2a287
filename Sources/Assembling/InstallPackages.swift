public import Content
public import Isolation
public import Model
internal import SystemPackage

/// What installing packages needs to know beside the packages.
public struct InstallOptions: Sendable {
  /// Names of the packages that the recipe asks for; apt may remove all others as unneeded.
  public var manual: Set<String>
  /// `SOURCE_DATE_EPOCH`, seconds since 1970.
  public var epoch: Int
  /// How many debs are unpacked at a time.
  public var jobs: Int

  public init(manual: Set<String>, epoch: Int, jobs: Int) {
    self.manual = manual
    self.epoch = epoch
    self.jobs = jobs
  }
}

/// Installs the packages of a lock into an empty root, as user 0 of a user namespace or as root.
///
/// Debs are checked and unpacked on several threads, dpkg's database is written, and dpkg then
/// configures everything in the root: first what is essential, then the rest, then the triggers. A
/// package that plain unpacking cannot do as dpkg would goes through `dpkg --unpack`.
///
/// - Parameters:
///   - packages: all that the root shall hold; dependencies are theirs to complete.
///   - store: holds their debs; a damaged one is removed from it.
///   - sandbox: runs programs in the root; its `root` is the folder that is filled.
///   - addUsers: called once `/etc/passwd` and `/etc/group` are there and before anything adds users,
///     so that users and groups with fixed numbers can be written.
/// - Throws: `PackageFailure`, `IsolationFailure`, `CancellationError`, what `addUsers` throws.
public func installPackages(
  _ packages: [Lock.Package], from store: BlobStore, in sandbox: Sandbox, options: InstallOptions,
  events: @escaping EventSink, addUsers: () throws -> Void
) async throws {
  let root = try RootFolder(sandbox.root)
  let plan = try await unpackPackages(
    packages, from: store, into: root, options: options, events: events)
  try Configuration(
    plan: plan, root: root, store: store, sandbox: sandbox, epoch: options.epoch, events: events
  ).run(addUsers: addUsers)
}

/// Unpacks packages and writes the databases of dpkg and apt; no program of the root runs.
///
/// - Returns: the plan, which names the packages that are left to `dpkg --unpack`.
func unpackPackages(
  _ packages: [Lock.Package], from store: BlobStore, into root: RootFolder,
  options: InstallOptions, events: @escaping EventSink
) async throws -> UnpackPlan {
  let size = packages.reduce(0) { $0 + $1.deb.size }
  events(.began(.unpack, total: size, unit: .bytes))
  let unpacker = Unpacker(root: root, store: store, jobs: max(1, options.jobs), events: events)
  let architecture = packages.first { $0.architecture != "all" }?.architecture ?? "all"
  var plan = UnpackPlan(try await unpacker.readDebs(packages), architecture: architecture)
  var unpacked = try await unpacker.unpack(&plan)
  while unpacked == nil {
    // Each round sends at least one more package through dpkg, so this ends.
    for name in try root.names(in: "/") { try root.remove(FilePath("/").appending(name)) }
    unpacked = try await unpacker.unpack(&plan)
  }
  let pairs = zip(plan.debs, unpacked ?? []).compactMap { deb, files in files.map { (deb, $0) } }
  try DpkgDatabase(root: root).write(pairs)
  try root.makeFolders("/var/lib/apt")
  try root.write(
    extendedStates(of: packages, manual: options.manual, architecture: architecture),
    to: "/var/lib/apt/extended_states")
  events(.ended(.unpack))
  return plan
}
