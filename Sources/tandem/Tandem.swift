import ArgumentParser
import Kernels
import Tensors

@main
struct Tandem: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tandem",
    abstract: "Compiles exported language models ahead of time and runs them on CPUs.",
    discussion: """
      Convert a model once, then run the plan:

        tandem convert model.onnx -o model.plan
        tandem run model.plan --prompt "The capital of France is" -n 32

      Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 the input is at \
      fault, 2 wrong usage, 3 a quality gate failed, 5 the input needs something that is not supported, 70 a bug, 130 interrupted \
      before the result was whole.
      """,
    version: "0.1.0",
    subcommands: [Convert.self, Inspect.self, Run.self, Eval.self, Bench.self, Hardware.self])

  static func main() {
    StandardStream.openClosed()
    StandardStream.ignoreBrokenPipes()
    FileReplacement.reportFullFiles()
    ExitStatus.exit(
      with: Result {
        var command = try parseAsRoot()
        do throws(KernelError) {
          _ = try InstructionSet.forced()
        } catch {
          throw CommandError(.wrongUsage, error.message)
        }
        try command.run()
      })
  }
}
