import FeatureStore
import GraphStore
import Seams
import SiteKernel
import SitePack
import TwinCore

extension EdgeDaemon {
  /// Makes the graph's present what the pack declares, and tells the kernel of the last change: it knows within a tick.
  ///
  /// After the start: a site reads its plant before it tends its memory. The file is closed again, for nothing else
  /// writes it while the site runs.
  func seedGraph() async {
    let (graph, directory, now) = (site.pack.pack.graph, configuration.state, gatewayClock.instant)
    let seeded: Result<Int64, GraphStoreError>? = try? await keeper.with { (store) throws(StoreError) in
      do throws(GraphStoreError) {
        let kept = try GraphStore(directory: directory)
        try kept.seed(from: graph, tick: max(store.lastTickNumber + 1, kept.tickLast), instant: now)
        return .success(kept.changeLast)
      } catch {
        return .failure(error)
      }
    }
    switch seeded {
    case .success(let number):
      health.clear("graph")
      if await control.view({ $0.graphThrough }) < number { inbox.put(.graph(through: number)) }
    case .failure(let fault):
      health.raise(
        Problem(
          id: "graph", code: fault.code, severity: .warning, title: "the graph's history cannot be kept",
          cause: fault.message, effect: "the site runs; what hangs together is known from the pack alone",
          next: fault.remedy, since: now))
    case nil: break
    }
  }
}
