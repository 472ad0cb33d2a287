import Testing

@testable import Isolation

@Suite("Why a user gets no namespace")
struct NamespaceObstacleTests {
  private let full = plainMap(own: 1000, ranges: [100_000..<165_536])
  private func facts(_ change: (inout NamespaceFacts) -> Void = { _ in }) -> NamespaceFacts {
    var facts = NamespaceFacts(
      user: "ada", isRoot: false, userMap: full, groupMap: full, freeID: 165_536,
      hasMapPrograms: true, cloneSwitch: nil, limit: 1000, apparmorSwitch: nil,
      program: "/usr/bin/build-snapshot")
    change(&facts)
    return facts
  }

  @Test func nothingStandsInTheWayOfAPreparedUser() { #expect(facts().obstacle == nil) }

  @Test func aMissingRangeIsNamedWithTheLineThatAddsIt() {
    let obstacle = facts { $0.groupMap = plainMap(own: 1000, ranges: []) }.obstacle
    #expect(
      obstacle?.description
        == "user 'ada' has no range of 65535 subordinate user and group ids; as root: "
        + "usermod --add-subuids 165536-231071 --add-subgids 165536-231071 ada")
  }

  @Test func missingMapProgramsAreNamed() {
    #expect(
      facts { $0.hasMapPrograms = false }.obstacle?.description
        == "the programs 'newuidmap' and 'newgidmap' are missing; as root: apt install uidmap")
  }

  @Test func switchesOfTheKernelAreNamed() {
    #expect(
      facts { $0.cloneSwitch = 0 }.obstacle?.description
        == "user namespaces are switched off for plain users; as root: "
        + "sysctl -w kernel.unprivileged_userns_clone=1")
    #expect(facts { $0.limit = 0 }.obstacle == .limitIsZero)
    #expect(NamespaceObstacle.limitIsZero.description.hasSuffix("user.max_user_namespaces=65536"))
  }

  @Test func rootNeedsNoRangesButIDs() {
    let root = facts {
      $0.isRoot = true
      $0.cloneSwitch = 0
      $0.hasMapPrograms = false
    }
    #expect(root.obstacle == nil)
    let poor = facts {
      $0.isRoot = true
      $0.userMap = identityMap(offeredBy: mappings(in: "0 1000 1"))
    }
    #expect(poor.obstacle == .tooFewIDs(count: 1))
  }

  @Test func appArmorIsBlamedOnlyAfterARefusal() {
    let ubuntu = facts { $0.apparmorSwitch = 1 }
    #expect(ubuntu.obstacle == nil)
    let obstacle = ubuntu.obstacle(
      after: "become user 0", reason: "Operation not permitted", isPermission: true)
    #expect(obstacle == .apparmor(program: "/usr/bin/build-snapshot"))
    #expect(
      obstacle.description.hasSuffix("sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"))
    #expect(obstacle.description.contains("apparmor_parser -r /etc/apparmor.d/build-snapshot"))
  }

  @Test func anUnknownRefusalIsToldAsItIs() {
    #expect(
      facts().obstacle(after: "unshare", reason: "Operation not permitted", isPermission: true)
        .description
        == "cannot make a user namespace: unshare: Operation not permitted; a container may forbid "
        + "it: run it with '--security-opt seccomp=unconfined --security-opt apparmor=unconfined'")
  }
}
