internal import Glibc
internal import Synchronization
internal import SystemPackage

/// The processes of virtual machines. They outlive the controller, which finds them again by a mark in
/// their environment.
enum VirtualMachineProcess {
  /// How a process ended.
  enum Ending: Sendable, Equatable {
    /// By itself, well: as its guest did.
    case finished
    /// The monitor could not go on, or was killed: no fault of the guest.
    case broken(String)
  }

  private struct Children {
    /// The folders of the machines whose processes are our children.
    var folders: [pid_t: String] = [:]
    var endings: [String: Ending] = [:]
  }
  private static let children = Mutex(Children())

  private static let mark = "SNAPSHOT_CONTROLLER_VM"

  /// Starts a machine's process in a session of its own.
  ///
  /// - Parameters:
  ///   - lease: inherited as descriptor 3: the image stays as long as the process.
  ///   - folder: the machine's; its output goes into `vmm.log` there.
  static func start(_ command: [String], lease: FileDescriptor, folder: FilePath) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(
      &actions, 1, folder.appending("vmm.log").string, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    posix_spawn_file_actions_adddup2(&actions, lease.rawValue, 3)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    let newSession: Int16 = 0x80  // POSIX_SPAWN_SETSID
    posix_spawnattr_setflags(&attributes, newSession | Int16(POSIX_SPAWN_SETSIGMASK))
    let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
    var environment = ["PATH=\(path)", "\(mark)=\(folder)"].map(copied) + [nil]
    var arguments = command.map(copied) + [nil]
    defer { (environment + arguments).forEach { free($0) } }
    guard let program = arguments[0] else { throw Errno.invalidArgument }
    var process = pid_t()
    keepDescriptors()
    // Locked, so that a child is known before it can be read off.
    let code = children.withLock { children in
      let code = posix_spawnp(
        &process, program, &actions, &attributes, &arguments, &environment)
      if code == 0 { children.folders[process] = folder.string }
      return code
    }
    guard code == 0 else {
      throw MonitorFailure(program: command[0], reason: Errno(rawValue: code))
    }
  }

  /// How the process of a machine ended that we started ourselves; nil where an earlier controller did,
  /// and while it runs.
  static func ending(of folder: FilePath) -> Ending? {
    reap()
    return children.withLock { $0.endings[folder.string] }
  }

  /// Whether a machine's process runs. A child of ours counts before the kernel shows its environment,
  /// which it does a moment after `exec`.
  static func isRunning(_ folder: FilePath) -> Bool {
    !find(folder).isEmpty || children.withLock { $0.folders.values.contains(folder.string) }
  }

  /// Forgets how a machine ended.
  static func forget(_ folder: FilePath) {
    children.withLock { _ = $0.endings.removeValue(forKey: folder.string) }
  }

  /// Keeps all that is open here from the machine: with our listening socket it would keep the port from our
  /// successor, and with what we inherited let our parent wait for an end that does not come.
  private static func keepDescriptors() {
    for descriptor in 3..<Int32(1024) { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
  }

  private static func copied(_ text: String) -> UnsafeMutablePointer<CChar>? { strdup(text) }

  /// The processes of the machine with this folder, whoever started them.
  static func find(_ folder: FilePath) -> [pid_t] { all()[folder.string] ?? [] }

  /// The processes of all machines, by the machines' folders.
  static func all() -> [String: [pid_t]] {
    reap()
    var found: [String: [pid_t]] = [:]
    guard let stream = opendir("/proc") else { return found }
    defer { closedir(stream) }
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard let process = pid_t(name), let folder = value(of: mark, in: process) else { continue }
      found[folder, default: []].append(process)
    }
    return found
  }

  /// Ends a machine's processes, and waits until they are gone.
  static func end(_ folder: FilePath) {
    for signal in [SIGTERM, SIGKILL] {
      for process in find(folder) { kill(process, signal) }
      for _ in 0..<(signal == SIGTERM ? 40 : 200) {
        if find(folder).isEmpty { return }
        usleep(25_000)
      }
    }
  }

  /// Children that ended are read off, so that they do not stay as zombies.
  private static func reap() {
    children.withLock { children in
      var status: Int32 = 0
      while case let process = waitpid(-1, &status, WNOHANG), process > 0 {
        guard let folder = children.folders.removeValue(forKey: process) else { continue }
        let (signal, code) = (status & 0x7F, status >> 8 & 0xFF)
        children.endings[folder] =
          status == 0
          ? .finished : .broken(signal != 0 ? "signal \(signal)" : "exit status \(code)")
      }
    }
  }

  private static func value(of name: String, in process: pid_t) -> String? {
    let file = open("/proc/\(process)/environ", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var buffer = [UInt8](repeating: 0, count: 8192)
    let count = read(file, &buffer, buffer.count)
    guard count > 0 else { return nil }
    let key = Array("\(name)=".utf8)
    return buffer[..<count].split(separator: 0).first { $0.starts(with: key) }
      .map { String(decoding: $0.dropFirst(key.count), as: UTF8.self) }
  }
}

/// A monitor could not be started.
struct MonitorFailure: Error, CustomStringConvertible {
  var program: String
  var reason: Errno
  var description: String { "cannot start '\(program)': \(reason)" }
}
