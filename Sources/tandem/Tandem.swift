import ArgumentParser

@main
struct Tandem: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tandem", abstract: "Compiles exported language models ahead of time and runs them on CPUs.")
}
