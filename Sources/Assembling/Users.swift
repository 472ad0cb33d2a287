internal import Isolation
public import Model
public import SystemPackage

/// Adds the recipe's users and their groups to the account files, with passwords that nobody knows.
///
/// Meant for the moment when the account files have just been made: programs that add users later
/// then leave the numbers alone. Supplementary groups and homes come at the end, in `customise`.
///
/// - Parameter epoch: `SOURCE_DATE_EPOCH`, the day of the last change of the passwords.
/// - Throws: `FaultyRecipe` when a name or number is taken.
public func addUsers(_ users: [Recipe.User], to root: FilePath, epoch: Int) throws {
  guard !users.isEmpty else { return }
  let folder = try RootFolder(root)
  guard var passwd = try AccountFile("passwd", in: folder),
    var group = try AccountFile("group", in: folder)
  else {
    throw FaultyRecipe(
      at: users[0].position, "the image has no account files for user '\(users[0].name)'",
      hint: "a base of packages makes them")
  }
  var shadow = try AccountFile("shadow", in: folder)
  var gshadow = try AccountFile("gshadow", in: folder)
  var faults: [Diagnostic] = []
  for user in users {
    if let fault = conflict(of: user, passwd, group) {
      faults.append(fault)
      continue
    }
    // Without a shadow file the lock stands here, until the package that makes one moves it.
    passwd.append([
      user.name, shadow == nil ? "!" : "x", "\(user.uid)", "\(user.gid)", user.comment, user.home,
      user.shell,
    ])
    shadow?.append([user.name, "!", "\(epoch / 86400)", "0", "99999", "7", "", "", ""])
    if group[user.name] == nil {
      group.append([user.name, gshadow == nil ? "!" : "x", "\(user.gid)", ""])
      gshadow?.append([user.name, "!", "", ""])
    }
  }
  guard faults.isEmpty else { throw FaultyRecipe(faults) }
  for file in [passwd, group, shadow, gshadow] { try file?.write(in: folder) }
}

/// Whose name or number a user would take.
private func conflict(
  of user: Recipe.User, _ passwd: AccountFile, _ group: AccountFile
) -> Diagnostic? {
  if passwd[user.name] != nil {
    return Diagnostic(at: user.position, "user '\(user.name)' is already in the image")
  }
  if let other = passwd.line(ofID: user.uid) {
    return Diagnostic(
      at: user.position, "uid \(user.uid) of user '\(user.name)' is that of '\(other[0])'")
  }
  if let same = group[user.name] {
    guard Int(same[2]) != user.gid else { return nil }
    return Diagnostic(
      at: user.position,
      "group '\(user.name)' is already in the image with gid \(same[2]), not \(user.gid)")
  }
  if let other = group.line(ofID: user.gid) {
    return Diagnostic(
      at: user.position, "gid \(user.gid) of user '\(user.name)' is that of '\(other[0])'")
  }
  return nil
}

/// Puts users into their supplementary groups and makes their homes from `/etc/skel`.
func settle(_ users: [Recipe.User], in root: RootFolder) throws {
  guard !users.isEmpty else { return }
  guard var group = try AccountFile("group", in: root) else { return }
  var gshadow = try AccountFile("gshadow", in: root)
  var faults: [Diagnostic] = []
  for user in users {
    for name in user.groups {
      if group[name] == nil {
        faults.append(
          Diagnostic(
            at: user.position, "the image has no group '\(name)' for user '\(user.name)'",
            hint: "add the package that brings it"))
      }
      group.addMember(user.name, to: name)
      gshadow?.addMember(user.name, to: name)
    }
    if try root.status(of: FilePath(user.shell), followsLinks: true) == nil {
      faults.append(
        Diagnostic(
          at: user.position, "the image has no shell '\(user.shell)' for user '\(user.name)'",
          hint: "add the package that brings it"))
    }
  }
  guard faults.isEmpty else { throw FaultyRecipe(faults) }
  try group.write(in: root)
  try gshadow?.write(in: root)
  for user in users { try makeHome(of: user, in: root) }
}

/// Makes a home that only its user can enter; one that packages have made stays as it is.
private func makeHome(of user: Recipe.User, in root: RootFolder) throws {
  let home = FilePath(user.home)
  guard user.home != "/nonexistent", try root.status(of: home, followsLinks: true) == nil
  else { return }
  let owner = Owner(uid: UInt32(user.uid), gid: UInt32(user.gid))
  try root.makeFolders(home.removingLastComponent())
  try root.makeFolder(home, mode: 0o700, owner: owner)
  if try root.status(of: "/etc/skel")?.kind == .folder {
    try copySkeleton("/etc/skel", to: home, owner: owner, in: root)
  }
}

private func copySkeleton(
  _ source: FilePath, to target: FilePath, owner: Owner, in root: RootFolder
) throws {
  for name in try root.names(in: source) {
    let (from, to) = (source.appending(name), target.appending(name))
    guard let status = try root.status(of: from) else { continue }
    switch status.kind {
    case .folder:
      try root.makeFolder(to, mode: status.mode, owner: owner)
      try copySkeleton(from, to: to, owner: owner, in: root)
    case .file:
      try root.write(
        try root.contents(of: from) ?? [], to: to, mode: status.mode, owner: owner)
    case .link:
      if let link = try root.target(ofLink: from) {
        try root.makeLink(to, to: link, owner: owner)
      }
    default: continue  // useradd passes over them, too
    }
  }
}
