internal import Isolation
internal import Model
internal import SystemPackage

/// Makes a browser of an archive one that users and Puppeteer find and that has its own sandbox.
struct ChromiumInstaller {
  let root: RootFolder
  let base: Recipe.Base

  func install(_ browser: Recipe.Chromium) throws {
    guard browser.source != .apt else { return }  // the package does all of it
    let folder = FilePath(browser.into)
    let program = folder.pushing(FilePath(browser.program))
    guard try root.status(of: program)?.kind == .file else {
      throw FaultyRecipe(
        at: browser.position, "the archive of [chromium] has no program '\(browser.program)'",
        hint: "see 'program' and 'strip'")
    }
    try root.setMode(of: program, 0o755)
    try root.makeFolders("/usr/bin")
    try root.makeLink(FilePath(Recipe.Chromium.path), to: program)
    try placeHelper(beside: program)
    if base.restrictsNamespaces {
      try root.makeFolders("/etc/apparmor.d")
      try root.write(Array(profile(of: program).utf8), to: "/etc/apparmor.d/chromium-archive")
    }
  }

  /// Chromium takes a user namespace where the kernel gives it one, else a helper with the set-user-id
  /// bit, which must bear this name and lie beside it. Archives have it under another one, without the bit.
  private func placeHelper(beside program: FilePath) throws {
    let folder = program.removingLastComponent()
    let helper = folder.appending(Recipe.Chromium.helpers.needed)
    if try root.status(of: helper) == nil {
      let packed = folder.appending(Recipe.Chromium.helpers.packed)
      guard try root.status(of: packed)?.kind == .file else { return }
      try root.makeHardLink(helper, to: packed)
    }
    try root.setOwner(of: helper, .root)
    try root.setMode(of: helper, 0o4755)
  }

  /// Lets the browser, and nothing that it does not start, have user namespaces.
  private func profile(of program: FilePath) -> String {
    """
    abi <abi/4.0>,
    include <tunables/global>

    profile chromium-archive \(program) flags=(unconfined) {
      userns,
      include if exists <local/chromium-archive>
    }

    """
  }
}

extension Recipe.Base {
  /// Whether the distribution's AppArmor keeps plain programs from user namespaces: Ubuntu's since 23.10.
  fileprivate var restrictsNamespaces: Bool {
    let older = [
      "trusty", "xenial", "bionic", "focal", "hirsute", "impish", "jammy", "kinetic", "lunar",
    ]
    return distribution == .ubuntu && !older.contains(suite)
  }
}
