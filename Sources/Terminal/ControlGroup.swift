internal import Glibc

/// A control group (version 2) made for one child and killed whole.
public struct ControlGroup: Sendable, Hashable {
  /// Its folder below `/sys/fs/cgroup`.
  public let path: String

  /// Makes the group `name` below the group `parent`.
  ///
  /// - Parameter limits: files of the group and what to write into them, such as `pids.max`; a limit
  ///   whose controller is not handed down to us is left out.
  /// - Returns: nil where control groups are not ours to make: no version 2, or not delegated.
  public static func make(
    _ name: String, below parent: String, limits: [String: String] = [:]
  ) -> ControlGroup? {
    let path = "\(parent)/\(name)"
    guard access("\(parent)/cgroup.procs", F_OK) == 0, mkdir(path, 0o755) == 0 else { return nil }
    let group = ControlGroup(path: path)
    guard access("\(path)/cgroup.kill", W_OK) == 0, access("\(path)/cgroup.procs", W_OK) == 0 else {
      group.remove()
      return nil
    }
    for (file, value) in limits.sorted(by: { $0.key < $1.key }) { group.write(value, to: file) }
    return group
  }

  /// Makes room for groups of our own: moves this process into a group `agent` below the one that the
  /// service manager delegated to it.
  ///
  /// - Returns: the path below which groups can be made; nil where none is delegated.
  public static func delegated() -> String? {
    guard let own = ofThisProcess(), own != "/sys/fs/cgroup", let group = make("agent", below: own)
    else { return nil }
    guard group.adopt(0) else {
      group.remove()
      return nil
    }
    return own
  }

  /// The group that this process itself is in; nil without version 2.
  ///
  /// A service with `Delegate=yes` may make groups below its own, once its own processes have moved
  /// into a group beside them: a group holds processes or groups, not both.
  public static func ofThisProcess() -> String? {
    guard let text = readSmallFile("/proc/self/cgroup", limit: 65536) else { return nil }
    for line in text.split(separator: 10) where line.starts(with: Array("0::/".utf8)) {
      return "/sys/fs/cgroup" + String(decoding: line.dropFirst(3), as: UTF8.self)
    }
    return nil
  }

  /// Kills all that is in the group, at once.
  func killAll() { write("1", to: "cgroup.kill") }

  /// Moves a process into the group; zero is this process.
  @discardableResult
  public func adopt(_ process: Int32) -> Bool { write("\(process)", to: "cgroup.procs") }

  /// Removes the empty group; one that still dies is waited for, at most a second.
  public func remove() {
    for _ in 0..<200 where rmdir(path) != 0 {
      guard errno == EBUSY else { return }
      usleep(5000)
    }
  }

  @discardableResult
  private func write(_ value: String, to file: String) -> Bool {
    let number = retrying { open("\(path)/\(file)", O_WRONLY | O_CLOEXEC) }
    guard number >= 0 else { return false }
    let file = Descriptor(adopting: number)
    return retrying { Glibc.write(file.number, value, value.utf8.count) } >= 0
  }
}
