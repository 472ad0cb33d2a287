internal import AgentHTTP
internal import Glibc
internal import Terminal

let name = CommandLine.arguments.first?.split(separator: "/").last ?? ""
if name == "open-url" || name == "xdg-open" {
  exit(LinkPipe.handOver(Array(CommandLine.arguments.dropFirst())))
}
exit(serve(Array(CommandLine.arguments.dropFirst())))
