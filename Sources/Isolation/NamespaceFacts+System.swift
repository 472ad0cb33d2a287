internal import Glibc
internal import SystemPackage

extension NamespaceFacts {
  /// The facts of this machine and the user who runs this process.
  static func ofThisProcess() -> NamespaceFacts {
    let uid = Int(getuid())
    let name = loginName(of: getuid())
    let isRoot = geteuid() == 0
    let users = text(of: "/etc/subuid") ?? ""
    let groups = text(of: "/etc/subgid") ?? ""
    return NamespaceFacts(
      user: name ?? "\(uid)",
      isRoot: isRoot,
      userMap: isRoot
        ? identityMap(offeredBy: mappings(in: text(of: "/proc/self/uid_map") ?? ""))
        : plainMap(own: uid, ranges: ranges(users, ["getsubids"], name, uid)),
      groupMap: isRoot
        ? identityMap(offeredBy: mappings(in: text(of: "/proc/self/gid_map") ?? ""))
        : plainMap(own: Int(getgid()), ranges: ranges(groups, ["getsubids", "-g"], name, uid)),
      freeID: firstFreeID(in: [users, groups]),
      hasMapPrograms: hostProgram(named: "newuidmap") != nil
        && hostProgram(named: "newgidmap") != nil,
      cloneSwitch: number(in: "/proc/sys/kernel/unprivileged_userns_clone"),
      limit: number(in: "/proc/sys/user/max_user_namespaces"),
      apparmorSwitch: number(in: "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
      program: target(ofLink: "/proc/self/exe") ?? CommandLine.arguments.first ?? "build-snapshot")
  }
}

/// The ranges of the file, or those that the name service knows, where the file has none.
private func ranges(
  _ file: String, _ command: [String], _ name: String?, _ uid: Int
) -> [Range<Int>] {
  let ranges = subordinateRanges(in: file, name: name, id: uid)
  guard ranges.isEmpty, let name, let tool = hostProgram(named: command[0]),
    let result = try? outcome(of: tool, Array(command.dropFirst()) + [name]), result.status == 0
  else { return ranges }  // a name service that cannot be asked knows no ranges
  return result.output.split(separator: "\n").compactMap { line in
    let words = line.split(separator: " ")
    guard words.count == 4, let start = Int(words[2]), let count = Int(words[3]), count > 0
    else { return nil }
    return start..<(start + count)
  }
}

/// The name of a user in the host's account databases.
private func loginName(of uid: uid_t) -> String? {
  var record = passwd()
  var found: UnsafeMutablePointer<passwd>?
  var buffer = [CChar](repeating: 0, count: 16384)
  return buffer.withUnsafeMutableBufferPointer { buffer in
    guard let text = buffer.baseAddress,
      getpwuid_r(uid, &record, text, buffer.count, &found) == 0, found != nil
    else { return nil }
    return record.pw_name.map { String(cString: $0) }
  }
}

/// The path of a program on PATH or in the usual folders.
func hostProgram(named name: String) -> FilePath? {
  let path = getenv("PATH").map { String(cString: $0) } ?? ""
  return (path + ":/usr/bin:/bin:/usr/sbin:/sbin").split(separator: ":")
    .filter { $0.hasPrefix("/") }
    .map { FilePath(String($0)).appending(name) }
    .first { access($0.string, X_OK) == 0 }
}

/// A small file's text; nil when it cannot be read, as a kernel without such a switch answers.
func text(of file: FilePath) -> String? {
  guard let descriptor = try? FileDescriptor.open(file, .readOnly, options: .closeOnExec)
  else { return nil }
  return try? descriptor.closeAfter {
    String(decoding: try bytes(from: descriptor), as: UTF8.self)
  }
}

/// All that is left to read.
func bytes(from descriptor: FileDescriptor) throws -> [UInt8] {
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65536)
  while true {
    let count = try buffer.withUnsafeMutableBytes { try descriptor.read(into: $0) }
    if count == 0 { return bytes }
    bytes += buffer[..<count]
  }
}

private func number(in file: FilePath) -> Int? {
  text(of: file).flatMap { Int($0.filter { $0 != "\n" }) }
}

/// Where a symbolic link leads.
func target(ofLink path: String) -> String? {
  var buffer = [CChar](repeating: 0, count: 4096)
  let count = readlink(path, &buffer, buffer.count)
  guard count >= 0 else { return nil }
  return String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
}
