import Foundation
import PlanFormat
import Tensors
import Testing

@Suite struct PlanFileTests {
  private func bytes() throws -> (Data, PlanFixture) {
    let fixture = try PlanFixture(ExecutorTests.decoder)
    return (try Data(contentsOf: URL(filePath: fixture.path)), fixture)
  }

  @Test func equalModulesGiveEqualBytes() throws {
    #expect(try bytes().0 == bytes().0)
  }

  @Test func programsSurviveTheFile() throws {
    let fixture = try PlanFixture(ExecutorTests.decoder)
    let plan = try PlanFile(path: fixture.path)
    try plan.verify()
    let function = try #require(plan.program.functions.first)
    #expect(function.inputs.map(\.name) == ["x", "past"])
    #expect(function.types.contains(TensorType(.f32, [Dim("B"), 2, Dim("P") + Dim("S"), 2])))
    #expect(plan.program.weights.allSatisfy { $0.offset % PlanLayout.weightAlignment == 0 })
  }

  @Test func everyTruncationIsAnError() throws {
    let (data, fixture) = try bytes()
    for count in stride(from: 0, to: data.count, by: 61) {
      try data.prefix(count).write(to: URL(filePath: fixture.path))
      #expect(throws: PlanError.self) { _ = try PlanFile(path: fixture.path) }
    }
  }

  /// Any byte may flip: the file is refused, or it opens and `verify` tells.
  @Test func flippedBytesNeverGoUnnoticed() throws {
    let (data, fixture) = try bytes()
    let sections = try PlanFile(path: fixture.path).sections
    for section in sections {
      for position in stride(from: section.offset, to: section.offset + section.byteCount, by: 7) {
        var damaged = data
        damaged[position] ^= 0x41
        try damaged.write(to: URL(filePath: fixture.path))
        #expect(throws: PlanError.self) { try PlanFile(path: fixture.path).verify() }
      }
    }
  }

  @Test func fileKindsAreToldByTheirFirstBytes() throws {
    let (_, fixture) = try bytes()
    #expect(PlanFile.isPlan(path: fixture.path))
    #expect(!PlanFile.isPlan(path: #filePath))
    #expect(!PlanFile.isPlan(path: "/nonexistent/x.plan"))
  }

  /// Devices and folders are never replaced; a link stays and leads to the new plan.
  @Test func onlyRegularFilesAreReplaced() throws {
    #expect(throws: FileError.self) { _ = try PlanWriter(path: "/dev/null") }
    let folder = FileManager.default.temporaryDirectory.appending(path: "tandem-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    #expect(throws: FileError.self) { _ = try PlanWriter(path: folder) }
    #expect(FileManager.default.createFile(atPath: folder + "/real", contents: Data([1])))
    try FileManager.default.createSymbolicLink(
      atPath: folder + "/link", withDestinationPath: folder + "/real")
    var program = Program()
    program.functions = [Function(name: "main")]
    try PlanWriter(path: folder + "/link").finish(program)
    #expect(PlanFile.isPlan(path: folder + "/real"))
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder + "/link") == folder + "/real")
  }

  @Test func otherFilesAreNoPlans() throws {
    let (data, fixture) = try bytes()
    try Data("hello, this is text and no plan at all".utf8).write(to: URL(filePath: fixture.path))
    let error = #expect(throws: PlanError.self) { _ = try PlanFile(path: fixture.path) }
    #expect(error?.message.contains("not a plan file") == true)
    var newer = data
    newer[8] = 99
    try newer.write(to: URL(filePath: fixture.path))
    let version = #expect(throws: PlanError.self) { _ = try PlanFile(path: fixture.path) }
    #expect(version?.message.contains("version 99") == true)
    #expect(throws: PlanError.self) { _ = try PlanFile(path: "/nonexistent/x.plan") }
  }

  @Test func weightsRoundTrip() throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "tandem-\(UUID().uuidString).plan").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let tensors = [Tensor(f32: [1, 2, 3]), Tensor(i64: [4, 5], [2, 1]), Tensor(.bool, [0])]
    var program = Program()
    program.functions = [Function(name: "main")]
    let writer = try PlanWriter(path: path)
    try writer.writeWeights(
      tensors.enumerated().map { (name: "w\($0)", load: { [t = $1] in t }) }, of: &program)
    try writer.finish(program)
    let plan = try PlanFile(path: path)
    for (weight, tensor) in zip(plan.program.weights, tensors) {
      #expect(plan.tensor(weight).shape == tensor.shape)
      #expect(plan.tensor(weight).doubles == tensor.doubles)
    }
  }
}
