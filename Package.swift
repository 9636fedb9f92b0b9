// swift-tools-version: 6.2
import PackageDescription

/// Swift 6 mode with explicit existentials and imports that do not leak.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

/// A library target: its name and the targets that it may import. The list is the architecture diagram.
func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(
  _ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = [], exclude: [String] = []
)
  -> Target
{
  .testTarget(
    name: name, dependencies: dependencies, exclude: exclude, resources: resources, swiftSettings: settings)
}

let package = Package(
  name: "tandem",
  platforms: [.macOS(.v26)],
  products: [
    .executable(name: "tandem", targets: ["tandem"]),
    .library(name: "Kernels", targets: ["Kernels"]),
    // What the nested package of benchmarks imports.
    .library(name: "CKernels", targets: ["CKernels"]),
    .library(name: "Tensors", targets: ["Tensors"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
  ],
  targets: [
    // Row 0: system libraries, C, and the vocabulary of tensors.
    .systemLibrary(name: "CProtobufC", pkgConfig: "libprotobuf-c", providers: [.apt(["libprotobuf-c-dev"])]),
    // Headers alone: pkg-config would link the library, which then starts before its core type can be chosen.
    .systemLibrary(name: "COpenBLAS", providers: [.apt(["libopenblas-dev"])]),
    .target(name: "CONNX", dependencies: ["CProtobufC"]),
    .target(name: "CPlan", dependencies: ["CProtobufC"]),
    // Kernels without optimization are hundreds of times slower, which tests need not wait for.
    .target(
      name: "CKernels", cSettings: [.unsafeFlags(["-O2"], .when(configuration: .debug))]),
    module("Tensors"),
    module("ProtobufArena", ["CProtobufC"]),

    // Row 1: formats, kernels, the graph.
    module("ONNXFormat", ["CONNX", "ProtobufArena", "Tensors"]),
    module(
      "PlanFormat", ["CPlan", "ProtobufArena", "Tensors", .product(name: "Crypto", package: "swift-crypto")]),
    module("Kernels", ["Tensors", "CKernels", "COpenBLAS"]),
    module("GraphIR", ["Tensors"]),
    module("Tokenization", ["Tensors"]),

    // Row 2 and up: the operator set, import, passes, planning; execution and generation.
    module("Operators", ["GraphIR", "Kernels", "Tensors"]),
    module("ONNXImport", ["ONNXFormat", "Operators", "GraphIR", "Tensors"]),
    module("Passes", ["Operators", "Kernels", "GraphIR", "Tensors"]),
    module("Planning", ["Operators", "PlanFormat", "Kernels", "GraphIR", "Tensors"]),
    module("Execution", ["PlanFormat", "Kernels", "Tensors"]),
    module("Generation", ["Execution", "PlanFormat", "Tokenization", "Kernels", "Tensors"]),
    module(
      "Calibration",
      [
        "Passes", "Planning", "Execution", "Generation", "PlanFormat", "Tokenization", "Kernels", "GraphIR",
        "Tensors",
      ]),
    module(
      "Compiler",
      [
        "Calibration", "Generation", "Kernels", "ONNXImport", "ONNXFormat", "Passes", "Planning",
        "Tokenization", "PlanFormat", "Operators",
        "GraphIR",
        "Tensors", .product(name: "Crypto", package: "swift-crypto"),
      ]),
    module("Reports", ["Operators", "Kernels", "PlanFormat", "GraphIR", "Tensors"]),
    .executableTarget(
      name: "tandem",
      dependencies: [
        "Compiler", "Generation", "Reports",
        // For the errors that exit codes tell apart, and what the commands hand from one to the other.
        "Execution", "GraphIR", "Kernels", "ONNXFormat", "ONNXImport", "Operators", "PlanFormat", "Tensors",
        "Tokenization",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings),

    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: settings),
    .target(name: "AllocationCounter", path: "Tests/AllocationCounter"),
    tests("TensorsTests", ["Tensors", "TestSupport"]),
    tests("KernelsTests", ["Kernels", "CKernels", "Tensors"]),
    tests(
      "PassesTests", ["Compiler", "Passes", "Operators", "Kernels", "GraphIR", "Tensors", "TestSupport"],
      exclude: ["Goldens", "Cases"]),
    tests(
      "ExecutionTests",
      [
        "Execution", "Planning", "PlanFormat", "Passes", "Operators", "Kernels", "GraphIR", "Tensors",
        "TestSupport",
      ]),
    tests("GraphIRTests", ["GraphIR", "Tensors", "TestSupport"], exclude: ["Goldens"]),
    tests(
      "ReportsTests", ["Reports", "PlanFormat", "GraphIR", "Tensors", "TestSupport"], exclude: ["Goldens"]),
    tests("TokenizationTests", ["Tokenization"], resources: [.copy("Fixtures")]),
    tests("ONNXFormatTests", ["ONNXFormat", "Tensors"]),
    tests("ONNXImportTests", ["ONNXImport", "ONNXFormat", "Operators", "GraphIR", "Tensors"]),
    tests(
      "ZooTests",
      [
        "Compiler", "Planning", "Execution", "Generation", "PlanFormat", "ONNXImport", "ONNXFormat",
        "Operators", "Passes", "Kernels", "GraphIR", "Tensors", "Tokenization", "TestSupport",
        "AllocationCounter",
      ], exclude: ["Goldens"]),
    tests("OperatorsTests", ["Operators", "Kernels", "GraphIR", "Tensors", "TestSupport"]),
    tests("ConformanceTests", ["ONNXImport", "Operators", "GraphIR", "Tensors"]),
    tests("GenerationTests", ["Generation", "Tokenization"]),
    tests("CommandLineTests", ["tandem", "Kernels", "TestSupport"], exclude: ["Goldens"]),
  ]
)
