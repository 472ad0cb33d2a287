internal import Isolation
internal import SystemPackage

/// One of the image's account files: lines of fields between colons.
struct AccountFile {
  let path: FilePath
  private(set) var lines: [[String]]
  private let mode: UInt16
  private let owner: Owner

  /// Reads a file of `/etc`, or nil when it is not there.
  init?(_ name: String, in root: RootFolder) throws {
    path = FilePath("/etc").appending(name)
    guard let bytes = try root.contents(of: path), let status = try root.status(of: path)
    else { return nil }
    mode = status.mode
    owner = Owner(uid: status.uid, gid: status.gid)
    lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { line in
      line.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    }
    let least = name == "passwd" ? 7 : name == "shadow" ? 9 : 4
    for (index, fields) in lines.enumerated() where fields.count < least {
      throw CustomiseFailure.malformed(path: path.string, line: index + 1)
    }
  }

  /// The line of a name.
  subscript(name: String) -> [String]? { lines.first { $0[0] == name } }

  /// The line whose third field, the number, is `id`.
  func line(ofID id: Int) -> [String]? { lines.first { Int($0[2]) == id } }

  mutating func append(_ fields: [String]) { lines.append(fields) }

  /// Adds a member to the last field of a group's line, which lists names between commas.
  mutating func addMember(_ user: String, to group: String) {
    guard let index = lines.firstIndex(where: { $0[0] == group }),
      let last = lines[index].indices.last
    else { return }
    var members = lines[index][last].split(separator: ",").map(String.init)
    guard !members.contains(user) else { return }
    members.append(user)
    lines[index][last] = members.joined(separator: ",")
  }

  /// Sets a field of every line for which `value` returns something.
  mutating func setField(_ field: Int, _ value: ([String]) -> String?) {
    for index in lines.indices where lines[index].indices.contains(field) {
      if let text = value(lines[index]) { lines[index][field] = text }
    }
  }

  /// Writes the file back, with the mode and owner that it had.
  func write(in root: RootFolder) throws(RootFailure) {
    let text = lines.map { $0.joined(separator: ":") + "\n" }.joined()
    try root.write(Array(text.utf8), to: path, mode: mode, owner: owner)
  }
}
