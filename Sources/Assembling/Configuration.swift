internal import Content
internal import Isolation
internal import Model
internal import SystemPackage

/// Brings unpacked packages to "installed", as dpkg would, in an order that is always the same.
struct Configuration {
  let plan: UnpackPlan
  let ground: Ground
  let root: RootFolder
  let store: BlobStore
  let sandbox: Sandbox
  let epoch: Int
  let events: EventSink
  private var standIns: StandIns { StandIns(root: root) }

  func run(addUsers: () throws -> Void) throws {
    events(.began(.configure, total: plan.debs.count, unit: .items))
    let services = try ServicesOff(in: root, debs: plan.debs)
    let own = plan.debs.indices.filter { !plan.throughDpkg.contains($0) }.map { plan.debs[$0] }
    let scripts = own.filter { $0.file("preinst") != nil }
    // Nothing else may run before the users and groups are there that everything refers to.
    try runPreinsts(of: scripts.filter { $0.package.name == "base-passwd" })
    if ground.isEmpty {
      try makeAccountFiles()
      try addUsers()
    }
    try runPreinsts(of: scripts.filter { $0.package.name != "base-passwd" })
    // dpkg neither keeps the order of its arguments nor takes essential packages as depended on.
    let progress = ConfigureProgress(total: plan.debs.count, events: events)
    for isEssential in [true, false] {
      let unpack = plan.throughDpkg.sorted().map { plan.debs[$0] }
      try unpackThroughDpkg(unpack.filter { $0.package.isEssential == isEssential })
      try configure(plan.debs.filter { $0.package.isEssential == isEssential }, progress)
    }
    try runFileTriggers()
    try doDeferredWork()
    try services.restore()
    events(.ended(.configure))
  }

  private func runPreinsts(of debs: [Deb]) throws {
    guard !debs.isEmpty else { return }
    let waiting: FilePath = "/var/lib/dpkg/preinsts"
    for deb in debs {
      let folder = waiting.appending(deb.package.name)
      try root.makeFolders(folder)
      for file in deb.files {
        try root.write(file.content, to: folder.appending(file.name), mode: file.mode)
      }
    }
    let marker = "running the preinst of "
    // dpkg runs a preinst from the folder with all control files; debconf finds the package's name
    // and its templates there.
    let script = """
      while [ $# -gt 0 ]; do
        echo "\(marker)$1"
        mv "\(waiting)/$1" /var/lib/dpkg/tmp.ci
        DPKG_MAINTSCRIPT_PACKAGE=$1 DPKG_MAINTSCRIPT_ARCH=$2 \
          /var/lib/dpkg/tmp.ci/preinst install || exit
        rm -r /var/lib/dpkg/tmp.ci
        shift 2
      done
      """
    let arguments = debs.flatMap { [$0.package.name, $0.control["Architecture"] ?? "all"] }
    let dpkg = plan.debs.first { $0.package.name == "dpkg" }
    let environment = [
      "DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT": "1", "DPKG_MAINTSCRIPT_NAME": "preinst",
      "DPKG_MAINTSCRIPT_DEBUG": "0", "DPKG_ADMINDIR": "/var/lib/dpkg", "DPKG_ROOT": "",
      "DPKG_RUNNING_VERSION": dpkg?.package.version ?? ground.dpkgVersion ?? "",
    ]
    let result = try start(["/bin/sh", "-c", script, "sh"] + arguments, environment)
    guard !result.isSuccess else { return try root.remove(waiting) }
    let lines = lines(of: result)
    let last = lines.lastIndex { $0.hasPrefix(marker) }
    throw PackageFailure.script(
      package: last.map { String(lines[$0].dropFirst(marker.count)) } ?? "?", name: "preinst",
      ending: result.ending.description, output: last.map { Array(lines[($0 + 1)...]) } ?? lines)
  }

  /// Before Debian 12, base-passwd makes these only when it is configured.
  private func makeAccountFiles() throws {
    for name in ["passwd", "group"] {
      let file = FilePath("/etc/\(name)")
      let master = FilePath("/usr/share/base-passwd/\(name).master")
      guard try root.status(of: file) == nil, let content = try root.contents(of: master)
      else { continue }
      try root.write(content, to: file)
    }
  }

  private func unpackThroughDpkg(_ debs: [Deb]) throws {
    guard !debs.isEmpty else { return }
    let names = debs.map(\.package.name).joined(separator: ", ")
    events(.note("unpacking through dpkg: \(names)"))
    var paths: [String] = []
    var sandbox = sandbox
    for deb in debs {
      let path = "/mnt/\(deb.package.name)_\(deb.package.architecture).deb"
      paths.append(path)
      sandbox.binds.append(
        Sandbox.Bind(store.path(of: deb.package.deb.sha256), at: FilePath(path)))
    }
    // What they need before being unpacked is there, if not yet configured.
    try run(
      ["dpkg", "--force-depends", "--no-triggers", "--unpack"] + paths, "unpack \(names)",
      in: sandbox)
  }

  private func configure(_ debs: [Deb], _ progress: ConfigureProgress) throws {
    guard !debs.isEmpty else { return }
    try run(
      ["dpkg", "--force-confdef", "--force-confold", "--configure"] + debs.map(\.databaseName),
      "configure the packages", in: standIns.sandbox(sandbox)
    ) { progress.read($0) }
  }

  /// Does once what the packages' scripts have asked for many times.
  private func doDeferredWork() throws {
    if let work = try standIns.work() {
      try run(work.command, "finish the packages", in: sandbox, input: work.input)
    }
    try standIns.finish()
  }

  /// Activates every file trigger that another package's files touch, and runs all that is pending.
  ///
  /// dpkg does the first when it unpacks. It drops it for listeners that are not yet configured,
  /// which here all new ones were.
  private func runFileTriggers() throws {
    let interests = ground.interests + plan.debs.flatMap(\.interests).filter(\.isPath)
    var pending: Set<String> = []
    for deb in plan.debs {
      let list = FilePath("/var/lib/dpkg/info/\(deb.databaseName).list")
      let paths = (try root.contents(of: list) ?? []).split(separator: UInt8(ascii: "\n"))
      for interest in interests where !pending.contains(interest.trigger) {
        guard interest.package != deb.databaseName, let folder = ImagePath(interest.trigger),
          paths.contains(where: { ImagePath($0)?.isWithin(folder) ?? false })
        else { continue }
        pending.insert(interest.trigger)
      }
    }
    // What `dpkg-trigger --no-await` writes.
    let text = pending.sorted().map { "\($0) -\n" }.joined()
    try root.write(Array(text.utf8), to: "/var/lib/dpkg/triggers/Unincorp")
    try run(
      ["dpkg", "--triggers-only", "--pending"], "run the triggers", in: standIns.sandbox(sandbox))
  }

  private func run(
    _ arguments: [String], _ operation: String, in sandbox: Sandbox, input: [UInt8] = [],
    onLine: (@Sendable (String) -> Void)? = nil
  ) throws {
    let result = try start(arguments, [:], in: sandbox, input: input, onLine: onLine)
    guard !result.isSuccess else { return }
    throw PackageFailure.program(
      operation: operation, ending: result.ending.description, output: lines(of: result))
  }

  private func start(
    _ arguments: [String], _ environment: [String: String], in sandbox: Sandbox? = nil,
    input: [UInt8] = [],
    onLine: (@Sendable (String) -> Void)? = nil
  ) throws -> SandboxResult {
    let command = SandboxCommand(
      arguments,
      environment: SandboxCommand.packageEnvironment(epoch: epoch).merging(environment) { $1 },
      input: input)
    let events = events
    return try (sandbox ?? self.sandbox).run(command) { line in
      events(.output(line))
      onLine?(line)
    }
  }

  private func lines(of result: SandboxResult) -> [String] {
    result.text.split(separator: "\n").map(String.init)
  }
}
