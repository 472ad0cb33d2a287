internal import Model

// `[[file]]` and `[[user]]`.
extension RecipeReader {
  func file(_ fields: inout Fields) -> Recipe.File {
    let path = fields.required("path", .imagePath)
    claimPath(path)
    var contents: [Recipe.File.Content] = []
    let kinds = ["content", "source", "link", "folder"]
    let named = kinds.filter(fields.has)
    if let text = fields.string("content", .anyText) { contents.append(.text(text.value)) }
    if let source = fields.local("source", .fileOrFolder) {
      contents.append(.source(source.value))
    }
    if let link = fields.string("link", .linkTarget) {
      contents.append(.link(target: link.value))
    }
    if let isFolder = fields.boolean("folder") {
      contents.append(.folder)
      if !isFolder {
        fields.refuse(fields.position, "'folder' can only be true; a file has another key instead")
      }
    }
    if named.count != 1 {
      let what = named.isEmpty ? "none" : alternatives(named).replacing(" or ", with: " and ")
      report.missing(
        fields.position, "[[file]] needs one of \(alternatives(kinds)), and has \(what)")
    }
    let mode = fields.mode("mode")
    if mode != nil, named == ["link"] {
      fields.refuse(fields.position, "a link has no mode")
    }
    return Recipe.File(
      path: path.value, content: contents.first ?? .folder, mode: mode,
      owner: fields.string("owner", .owner)?.value ?? "root:root", position: fields.position)
  }

  func user(_ fields: inout Fields) -> Recipe.User {
    for key in ["password", "passwd", "hash", "hashed_password"] {
      guard fields.has(key), let entry = fields.take(key) else { continue }
      fields.refuse(
        entry.position, "a password in an image is the same on every clone",
        hint: "accounts of an image are locked; let the controller give a clone its credentials")
    }
    let name = fields.required("name", .userName)
    let identifiers = 1...4_294_967_293
    let uid = fields.integer("uid", in: identifiers)
    if !fields.has("uid") { fields.missing("uid") }
    let gid = fields.integer("gid", in: identifiers)
    if name.value == "root" {
      fields.refuse(name.position, "user 'root' is there already")
    } else if !name.value.isEmpty {
      report.claim("user", name.value, at: name.position)
    }
    let isUidFree = uid.map { report.claim("uid", String($0.value), at: $0.position) } ?? false
    if let gid = gid ?? (isUidFree ? uid : nil) {
      report.claim("gid", String(gid.value), at: gid.position)
    }
    return Recipe.User(
      name: name.value, uid: uid?.value ?? 0, gid: gid?.value ?? uid?.value ?? 0,
      groups: fields.strings("groups", .userName).map(\.value),
      shell: fields.string("shell", .imagePath)?.value ?? "/bin/bash",
      home: fields.string("home", .imagePath)?.value ?? "/home/\(name.value)",
      comment: fields.string("comment", .comment)?.value ?? "", position: fields.position)
  }
}
