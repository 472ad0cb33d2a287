import Foundation
import Model
import Support
import SystemPackage
import Testing

@testable import Assembling

@Suite("Units of a recipe", .enabled(if: isRoot, "needs root"))
struct UnitsTests {
  /// A root with units of every shape, as packages bring them.
  private func makeRoot() throws -> TestRoot {
    let root = try TestRoot()
    try root.folder.makeFolders("/usr/lib/systemd/system")
    try root.folder.makeFolders("/etc/systemd/system")
    try root.folder.makeLink("/lib", to: "usr/lib")
    for (name, install) in [
      (
        "web.service", "WantedBy=multi-user.target\nAlias=www.service\nAlso=web.socket gone.service"
      ),
      ("web.socket", "WantedBy=sockets.target"),
      ("getty@.service", "WantedBy=getty.target\nDefaultInstance=tty1"),
      ("worker@.service", "WantedBy=multi-user.target\nRequiredBy=%i.target pool@.service"),
      ("both.service", "WantedBy=a.target \\\n  b.target\n# c\nRequiredBy=c.target"),
      ("static.service", ""), ("apt-daily.timer", "WantedBy=timers.target"),
      ("apt-daily-upgrade.timer", "WantedBy=timers.target"),
      ("many.service", "WantedBy=x.target\nWantedBy=\nWantedBy=y.target"),
      ("template-alias@.service", "Alias=other@.service\nWantedBy=z.target"),
    ] {
      let section = install.isEmpty ? "" : "[Install]\n\(install)\n"
      try root.write(
        FilePath("/usr/lib/systemd/system").appending(name),
        "[Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\n\(section)")
    }
    try root.write(
      "/usr/lib/systemd/system/static.service.d/more.conf", "[Service]\nNice=1\n")
    return root
  }

  private func unit(_ name: String, _ state: Recipe.Unit.State, text: String? = nil) -> Recipe.Unit
  {
    Recipe.Unit(name: name, text: text, state: state, position: place)
  }

  private func install(_ units: [Recipe.Unit], in root: TestRoot) throws {
    try UnitInstaller(root: root.folder).install(units)
  }

  @Test(
    "are linked as systemctl links them",
    .enabled(if: hasTool("systemctl"), "needs systemctl"),
    arguments: [
      [("enable", "web.service")], [("enable", "www.service"), ("enable", "web.socket")],
      [("enable", "getty@.service")], [("enable", "getty@tty7.service")],
      [("enable", "worker@one.service")], [("enable", "both.service")],
      [("enable", "many.service")], [("enable", "template-alias@x.service")],
      [("enable", "web.service"), ("disable", "web.service")],
      [("enable", "web.service"), ("disable", "web.socket")],
      [("enable", "web.service"), ("enable", "both.service"), ("disable", "both.service")],
      [
        ("enable", "worker@one.service"), ("enable", "worker@two.service"),
        ("disable", "worker@one.service"),
      ],
      [
        ("enable", "getty@.service"), ("enable", "getty@tty7.service"),
        ("disable", "getty@.service"),
      ],
      [("mask", "web.service")], [("mask", "no-such.service")], [("mask", "getty@tty1.service")],
      [("enable", "both.service"), ("mask", "both.service")],
    ])
  func judgedBySystemctl(steps: [(String, String)]) throws {
    let (ours, theirs) = (try makeRoot(), try makeRoot())
    let tree = UnitTree(root: ours.folder)
    for (verb, name) in steps {
      // What it says about targets that are missing is no matter here.
      _ = try runTool("systemctl", ["--root", theirs.path.string, verb, name])
      // An alias that systemctl does not know before its unit is enabled is missing for both.
      do {
        switch verb {
        case "enable": try tree.enable(UnitName(name))
        case "disable": try tree.disable(UnitName(name))
        default: try tree.mask(UnitName(name))
        }
      } catch UnitFailure.missing {}
    }
    #expect(try ours.listing("/etc") == theirs.listing("/etc"))
  }

  @Test func areInstalledEnabledAndMasked() throws {
    let root = try makeRoot()
    let text = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
    try install(
      [
        unit("own.service", .enabled, text: text), unit("apt-daily*.timer", .masked),
        unit("web.socket", .disabled), unit("static.service", .masked),
      ], in: root)
    #expect(
      try root.listing("/etc/systemd") == """
        /etc/systemd/system folder 755 0:0
        /etc/systemd/system/apt-daily-upgrade.timer link 0:0 -> /dev/null
        /etc/systemd/system/apt-daily.timer link 0:0 -> /dev/null
        /etc/systemd/system/multi-user.target.wants folder 755 0:0
        /etc/systemd/system/multi-user.target.wants/own.service link 0:0 -> \
        /etc/systemd/system/own.service
        /etc/systemd/system/own.service file 644 0:0
        /etc/systemd/system/static.service link 0:0 -> /dev/null
        /etc/systemd/system-preset folder 755 0:0
        /etc/systemd/system-preset/00-recipe.preset file 644 0:0
        """)
    #expect(
      try root.text("/etc/systemd/system-preset/00-recipe.preset")
        == "disable web.socket\nenable own.service\n")
  }

  @Test func presetsDecideWhereTheRecipeDoesNot() throws {
    let root = try makeRoot()
    try root.write(
      "/usr/lib/systemd/system-preset/90-x.preset", "# first\ndisable web.*\nenable *\n")
    try install(
      [unit("web.service", .asPreset), unit("both.service", .asPreset)], in: root)
    #expect(
      try root.folder.names(in: "/etc/systemd/system").map(\.string)
        == ["a.target.wants", "b.target.wants", "c.target.requires"])
  }

  @Test(
    "say what is wrong",
    arguments: [
      (
        "no.service",
        "the image has no unit 'no.service'; add the package that brings it, or 'source'"
      ),
      (
        "static.service",
        "unit 'static.service' cannot be enabled: it has no [Install] section; "
          + "say there what wants it, such as 'WantedBy=multi-user.target'"
      ),
      ("off.service", "unit 'off.service' is masked in the image"),
    ])
  func faults(name: String, message: String) throws {
    let root = try makeRoot()
    try root.folder.makeLink("/etc/systemd/system/off.service", to: "/dev/null")
    let failure = #expect(throws: FaultyRecipe.self) {
      try install([unit(name, .enabled)], in: root)
    }
    #expect(failure?.description == "recipe.toml:7:1: error: \(message)")
  }

  @Test func aMaskDoesNotReplaceAFile() throws {
    let root = try makeRoot()
    try root.write("/etc/systemd/system/own.service", "")
    let failure = #expect(throws: FaultyRecipe.self) {
      try install([unit("own.service", .masked)], in: root)
    }
    #expect(
      failure?.description == "recipe.toml:7:1: error: the file "
        + "'/etc/systemd/system/own.service' is in the way of a link for the unit")
  }
}
