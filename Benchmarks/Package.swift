// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "Benchmarks",
  platforms: [.macOS(.v15)],
  dependencies: [.package(name: "tandem", path: "..")],
  targets: [
    .executableTarget(
      name: "kernelbench",
      dependencies: [
        .product(name: "Kernels", package: "tandem"), .product(name: "CKernels", package: "tandem"),
        .product(name: "Tensors", package: "tandem"),
      ],
      swiftSettings: [.swiftLanguageMode(.v6)])
  ]
)
