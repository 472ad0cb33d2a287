import Testing

@testable import Isolation

@Suite("Maps of user ids")
struct IDMappingTests {
  @Test func rootKeepsItsIDs() {
    let machine = mappings(in: "         0          0 4294967295\n")
    #expect(identityMap(offeredBy: machine) == [IDMapping(inside: 0, outside: 0, count: 65536)])
  }

  @Test func eachLineStaysWithinALineOfTheNamespaceAround() {
    let container = mappings(in: "0 1000 1\n1 100000 65536\n")
    let map = identityMap(offeredBy: container)
    #expect(
      map == [
        IDMapping(inside: 0, outside: 0, count: 1), IDMapping(inside: 1, outside: 1, count: 65535),
      ])
    #expect(suffices(map))
  }

  @Test func oneIDIsTooFew() {
    #expect(!suffices(identityMap(offeredBy: mappings(in: "0 1000 1\n"))))
  }

  @Test func aHoleIsNoticed() {
    #expect(!suffices(mappings(in: "0 0 1000\n1001 1001 70000\n")))
  }

  @Test func subordinateRangesAreFoundByNameAndByNumber() {
    let file = "ada:100000:65536\nbob:165536:65536\n1000:300000:10\nada:broken:1\n:1:1\n"
    #expect(subordinateRanges(in: file, name: "ada", id: 7) == [100_000..<165_536])
    #expect(
      subordinateRanges(in: file, name: "bob", id: 1000) == [165_536..<231_072, 300_000..<300_010])
    #expect(subordinateRanges(in: file, name: nil, id: 8) == [])
  }

  @Test func severalRangesMakeOneMap() {
    let map = plainMap(own: 1000, ranges: [100_000..<130_000, 200_000..<300_000])
    #expect(
      map == [
        IDMapping(inside: 0, outside: 1000, count: 1),
        IDMapping(inside: 1, outside: 100_000, count: 30000),
        IDMapping(inside: 30001, outside: 200_000, count: 35535),
      ])
    #expect(suffices(map))
  }

  @Test func theFreeRangeIsBehindAllOthers() {
    #expect(firstFreeID(in: ["", ""]) == 100_000)
    #expect(firstFreeID(in: ["a:100000:65536\n", "b:165536:65536\n"]) == 231_072)
  }
}
