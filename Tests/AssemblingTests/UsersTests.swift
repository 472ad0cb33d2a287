import Model
import Support
import SystemPackage
import Testing

@testable import Assembling

@Suite("Users of a recipe", .enabled(if: isRoot, "needs root"))
struct UsersTests {
  private let epoch = 1_700_000_000
  private func user(
    _ name: String, uid: Int, gid: Int? = nil, groups: [String] = [], shell: String = "/bin/bash"
  ) -> Recipe.User {
    Recipe.User(
      name: name, uid: uid, gid: gid ?? uid, groups: groups, shell: shell, home: "/home/\(name)",
      comment: "Someone", position: place)
  }

  @Test func areAddedWithLockedPasswords() throws {
    let root = try TestRoot.withAccounts()
    try addUsers([user("agent", uid: 1000)], to: root.path, epoch: epoch)
    #expect(
      try root.text("/etc/passwd")?.hasSuffix(
        "\nagent:x:1000:1000:Someone:/home/agent:/bin/bash\n") == true)
    #expect(try root.text("/etc/group")?.hasSuffix("\nagent:x:1000:\n") == true)
    #expect(try root.text("/etc/shadow")?.hasSuffix("\nagent:!:19675:0:99999:7:::\n") == true)
    #expect(try root.text("/etc/gshadow")?.hasSuffix("\nagent:!::\n") == true)
  }

  @Test func areLockedWithoutShadowFilesToo() throws {
    let root = try TestRoot()
    try root.write("/etc/passwd", "root:*:0:0:root:/root:/bin/bash\n")
    try root.write("/etc/group", "root:*:0:\n")
    try addUsers([user("agent", uid: 1000)], to: root.path, epoch: epoch)
    #expect(
      try root.text("/etc/passwd")
        == "root:*:0:0:root:/root:/bin/bash\nagent:!:1000:1000:Someone:/home/agent:/bin/bash\n")
    #expect(try root.text("/etc/group") == "root:*:0:\nagent:!:1000:\n")
  }

  @Test func conflictsAreReportedTogether() throws {
    let root = try TestRoot.withAccounts()
    let before = try root.text("/etc/passwd")
    let failure = #expect(throws: FaultyRecipe.self) {
      try addUsers(
        [
          user("www-data", uid: 1000), user("a", uid: 33), user("b", uid: 1001, gid: 44),
          user("video", uid: 1002),
        ], to: root.path, epoch: epoch)
    }
    #expect(
      failure?.description == """
        recipe.toml:7:1: error: user 'www-data' is already in the image
        recipe.toml:7:1: error: uid 33 of user 'a' is that of 'www-data'
        recipe.toml:7:1: error: gid 44 of user 'b' is that of 'video'
        recipe.toml:7:1: error: group 'video' is already in the image with gid 44, not 1002
        """)
    #expect(try root.text("/etc/passwd") == before)
  }

  @Test func getTheirGroupsAndHomes() throws {
    let root = try TestRoot.withAccounts()
    try root.write("/etc/skel/.profile", "x")
    try root.folder.makeLink("/etc/skel/link", to: ".profile")
    let users = [user("agent", uid: 1000, groups: ["video", "sudo"])]
    try addUsers(users, to: root.path, epoch: epoch)
    try settle(users, in: root.folder)
    #expect(try root.text("/etc/group")?.contains("video:x:44:agent\n") == true)
    #expect(try root.text("/etc/group")?.contains("sudo:x:27:www-data,agent\n") == true)
    #expect(try root.text("/etc/gshadow")?.contains("sudo:*::www-data,agent\n") == true)
    #expect(
      try root.listing("/home") == """
        /home/agent folder 700 1000:1000
        /home/agent/.profile file 644 1000:1000
        /home/agent/link link 1000:1000 -> .profile
        """)
  }

  @Test func needTheirGroupsAndShells() throws {
    let root = try TestRoot.withAccounts()
    let users = [user("agent", uid: 1000, groups: ["docker"], shell: "/bin/zsh")]
    try addUsers(users, to: root.path, epoch: epoch)
    let failure = #expect(throws: FaultyRecipe.self) { try settle(users, in: root.folder) }
    #expect(
      failure?.description == """
        recipe.toml:7:1: error: the image has no group 'docker' for user 'agent'; add the package that \
        brings it
        recipe.toml:7:1: error: the image has no shell '/bin/zsh' for user 'agent'; add the package that \
        brings it
        """)
  }

  @Test("agree with what dpkg's tools think", .enabled(if: hasTool("pwck"), "needs pwck"))
  func judgedByPwck() throws {
    let root = try TestRoot.withAccounts()
    try addUsers([user("agent", uid: 1000)], to: root.path, epoch: epoch)
    try root.write("/home/agent/x", "")
    for folder in ["/root", "/var/www"] { try root.folder.makeFolders(FilePath(folder)) }
    try root.write("/usr/sbin/nologin", "")
    #expect(try runTool("pwck", ["-r", "-R", root.path.string]).status == 0)
    #expect(try runTool("grpck", ["-r", "-R", root.path.string]).status == 0)
  }
}
