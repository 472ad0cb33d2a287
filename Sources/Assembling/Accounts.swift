internal import Isolation
internal import Model

/// Who is who in an image.
struct Accounts {
  private let users: AccountFile?
  private let groups: AccountFile?

  init(in root: RootFolder) throws {
    users = try AccountFile("passwd", in: root)
    groups = try AccountFile("group", in: root)
  }

  /// Reads `user` or `user:group`, names or numbers; a user alone brings its own group.
  ///
  /// - Throws: `FaultyRecipe` at `position` for a name that the image does not have.
  func owner(_ text: String, at position: SourcePosition) throws(FaultyRecipe) -> Owner {
    let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
    let name = parts.first ?? ""
    let line = users?[name] ?? UInt32(name).flatMap { users?.line(ofID: Int($0)) }
    guard let uid = line.flatMap({ UInt32($0[2]) }) ?? UInt32(name) else {
      throw unknown("user", name, position)
    }
    guard parts.count == 2 else {
      guard let gid = line.flatMap({ UInt32($0[3]) }) else {
        throw FaultyRecipe(
          at: position, "user \(uid) is not in the image, so its group is unknown",
          hint: "write '\(uid):GROUP'")
      }
      return Owner(uid: uid, gid: gid)
    }
    guard let gid = groups?[parts[1]].flatMap({ UInt32($0[2]) }) ?? UInt32(parts[1]) else {
      throw unknown("group", parts[1], position)
    }
    return Owner(uid: uid, gid: gid)
  }

  /// A user as a command in a sandbox runs as it, with all its groups.
  func sandboxUser(_ name: String, at position: SourcePosition) throws(FaultyRecipe) -> SandboxUser
  {
    guard let line = users?[name], let uid = UInt32(line[2]), let gid = UInt32(line[3]) else {
      // Root needs no account file: it may be what the command makes.
      if name == "root" { return .root }
      throw unknown("user", name, position)
    }
    let others = (groups?.lines ?? [])
      .filter { $0[3].split(separator: ",").contains { $0 == name } }
      .compactMap { UInt32($0[2]) }
    return SandboxUser(
      uid: uid, gid: gid, groups: [gid] + others.filter { $0 != gid }, home: line[5])
  }

  private func unknown(
    _ what: String, _ name: String, _ position: SourcePosition
  ) -> FaultyRecipe {
    FaultyRecipe(
      at: position, "the image has no \(what) '\(name)'",
      hint: "add it as [[user]], or a package that brings it")
  }
}
