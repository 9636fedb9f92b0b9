import Testing

@testable import Generation

@Suite struct StopStringFilterTests {
  private func pass(_ pieces: [String], _ stops: [String]) -> (shown: [String], hasStopped: Bool) {
    var filter = StopStringFilter(stops)
    var shown = pieces.map { filter.feed($0) }
    if !filter.hasStopped { shown.append(filter.finish()) }
    return (shown.filter { !$0.isEmpty }, filter.hasStopped)
  }

  @Test func withoutStopsEverythingPasses() {
    #expect(pass(["a", "b"], []) == (["a", "b"], false))
  }

  @Test func stopAcrossPiecesIsNotShown() {
    #expect(pass(["one ", "E", "N", "D two"], ["END"]) == (["one "], true))
  }

  @Test func textThatOnlyBeginsLikeAStopIsShownLater() {
    #expect(pass(["one E", "N", "TER"], ["END"]) == (["one ", "ENTER"], false))
    #expect(pass(["one EN"], ["END"]) == (["one ", "EN"], false))
  }

  @Test func overlappingBeginnings() {
    #expect(pass(["aa", "ab", "x"], ["aab"]) == (["a"], true))
    #expect(pass(["abab", "ac"], ["abac"]) == (["ab"], true))
  }

  @Test func theEarliestOfSeveralStops() {
    #expect(pass(["xyz\n\nUser:"], ["User:", "\n\n"]) == (["xyz"], true))
  }

  @Test func fullMatchInsideABeginning() {
    #expect(pass(["as", " a", " time", ","], [" a time, and zzz", "time"]) == (["as", " a "], true))
    #expect(pass([" a time,"], [" a time, and zzz", "time"]) == ([" a "], true))
    #expect(pass(["abcd"], ["abcx", "bc"]) == (["a"], true))
  }

  @Test func overlappingStops() {
    #expect(pass(["ab", "c"], ["abc", "b"]) == (["a"], true))
    #expect(pass(["xa", "b"], ["bc", "ab"]) == (["x"], true))
  }

  @Test func finishFindsNothingNew() {
    #expect(pass(["a ti", "m"], [" time, and", "im"]) == (["a", " t"], true))
    #expect(pass(["a ti"], [" time, and", "im"]) == (["a", " ti"], false))
  }

  @Test func charactersOfSeveralBytes() {
    #expect(pass(["grün", " €", "uro"], ["€uro"]) == (["grün", " "], true))
  }
}

private func == (a: (shown: [String], hasStopped: Bool), b: ([String], Bool)) -> Bool {
  a.shown == b.0 && a.hasStopped == b.1
}
