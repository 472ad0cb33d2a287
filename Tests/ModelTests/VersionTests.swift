import Model
import Testing

@Suite("A version")
struct VersionTests {
  @Test(arguments: ["20260701.001", "00000000.000", "99991231.999"])
  func readsWhatItWrites(text: String) {
    #expect(Version(text)?.description == text)
  }

  @Test(arguments: [
    "", "2026070.001", "20260701.1", "20260701.0001", "20260701-001", "2026070a.001",
    "20260701.00١",
  ])
  func refusesOtherText(text: String) { #expect(Version(text) == nil) }

  @Test func sortsAsItsText() throws {
    let texts = ["20260701.002", "20260701.010", "20260701.009", "20251231.999"]
    let versions = try texts.map { try #require(Version($0)) }
    #expect(versions.sorted().map(\.description) == texts.sorted())
  }
}

@Suite("A timestamp")
struct TimestampTests {
  @Test(arguments: [
    (0, "1970-01-01T00:00:00Z", 19_700_101), (951_782_400, "2000-02-29T00:00:00Z", 20_000_229),
    (1_782_873_667, "2026-07-01T02:41:07Z", 20_260_701), (-1, "1969-12-31T23:59:59Z", 19_691_231),
    (4_107_542_399, "2100-02-28T23:59:59Z", 21_000_228),
  ])
  func isACivilTime(seconds: Int, text: String, day: Int) {
    #expect(Timestamp(seconds: seconds).description == text)
    #expect(Timestamp(text) == Timestamp(seconds: seconds))
    #expect(Timestamp(seconds: seconds).day == day)
  }

  @Test(arguments: ["", "2026-07-01", "2026-07-01T02:41:07+00:00", "2026-13-01T00:00:00Z"])
  func refusesOtherText(text: String) { #expect(Timestamp(text) == nil) }
}
