internal import Glibc

/// A child and all that came of it: its session, its descendants, and whatever carries its mark in the
/// environment, which also finds daemons that left the session and lost their parent.
struct Family: Sendable {
  /// The variable that marks a family's processes.
  static let variable = "CHILD_FAMILY"

  let leader: pid_t
  let mark: String
  let group: ControlGroup?

  /// Sends a signal to the leader's process group and session, as a terminal's hang-up would.
  func signal(_ number: Int32) {
    kill(-leader, number)
    for process in members() where process != leader { kill(process, number) }
  }

  /// Kills every member, also those that are born meanwhile, but leaves the leader's record for `waitid`.
  ///
  /// Each round looks for members again until none is left; a family that forks faster than that is for
  /// the control group, which the kernel kills whole.
  func killAll() {
    group?.killAll()
    kill(leader, SIGKILL)
    kill(-leader, SIGKILL)
    for _ in 0..<200 {
      let alive = members()
      if alive.isEmpty { return }
      for process in alive { kill(process, SIGKILL) }
      usleep(1000)
    }
  }

  /// The living members, in order of their numbers; zombies do not count.
  func members() -> [pid_t] {
    let all = ProcessRecord.all()
    var family: Set<pid_t> = [leader]
    for process in all where process.session == leader || carriesMark(process.id) {
      family.insert(process.id)
    }
    var grew = true
    while grew {
      grew = false
      for process in all where family.contains(process.parent) {
        if family.insert(process.id).inserted { grew = true }
      }
    }
    return all.filter { family.contains($0.id) && !$0.isDead }.map(\.id)
  }

  private func carriesMark(_ process: pid_t) -> Bool {
    // Another user's process has no environment for us, and a process may be gone by now: not ours.
    guard let environment = readSmallFile("/proc/\(process)/environ", limit: 1 << 20) else {
      return false
    }
    let wanted = Array("\(Self.variable)=\(mark)".utf8)
    return environment.split(separator: 0).contains { $0.elementsEqual(wanted) }
  }
}

/// What the kernel says of a process in `/proc/<id>/stat`.
struct ProcessRecord {
  let id: pid_t
  let parent: pid_t
  let session: pid_t
  let isDead: Bool

  /// Every process, in order of their numbers.
  static func all() -> [ProcessRecord] {
    guard let folder = opendir("/proc") else { return [] }
    defer { closedir(folder) }
    var found: [ProcessRecord] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard let id = pid_t(name), let record = ProcessRecord(id) else { continue }
      found.append(record)
    }
    return found.sorted { $0.id < $1.id }
  }

  init?(_ id: pid_t) {
    guard let stat = readSmallFile("/proc/\(id)/stat", limit: 4096),
      let close = stat.lastIndex(of: UInt8(ascii: ")"))
    else { return nil }
    // After the name in parentheses, which may hold anything: state, parent, process group, session.
    let fields = stat[(close + 1)...].split(separator: UInt8(ascii: " "))
    guard fields.count > 3, let parent = pid_t(String(decoding: fields[1], as: UTF8.self)),
      let session = pid_t(String(decoding: fields[3], as: UTF8.self))
    else { return nil }
    self.id = id
    self.parent = parent
    self.session = session
    isDead = fields[0].first == UInt8(ascii: "Z") || fields[0].first == UInt8(ascii: "X")
  }
}

/// A file of the kernel's, or nil when it cannot be read; at most `limit` bytes.
func readSmallFile(_ path: String, limit: Int) -> [UInt8]? {
  let number = retrying { open(path, O_RDONLY | O_CLOEXEC) }
  guard number >= 0 else { return nil }
  let file = Descriptor(adopting: number)
  var bytes: [UInt8] = []
  while bytes.count < limit {
    switch file.readAvailable(limit: min(65536, limit - bytes.count)) {
    case .bytes(let more): bytes += more
    case .nothingYet, .end: return bytes
    }
  }
  return bytes
}
