#!/usr/bin/env bash
# load-balancers.sh PREFIX: a stand-in for a cloud's load balancers: every Service of that type gets an address PREFIX.N, which is routed to this
# node, where kube-proxy takes it.
set -eu -o pipefail
columns='{.object.metadata.namespace} {.object.metadata.name} {.object.spec.type} {.object.status.loadBalancer.ingress[0].ip}'
kubectl get services --all-namespaces --watch --output-watch-events -o "jsonpath=$columns{\"\n\"}" |
  while read -r namespace name type address; do
    [ "$type" = LoadBalancer ] && [ -z "$address" ] || continue
    taken=$(kubectl get services --all-namespaces -o 'jsonpath={.items[*].status.loadBalancer.ingress[*].ip}')
    for number in $(seq 10 250); do
      case " $taken " in *" $1.$number "*) continue ;; esac
      break
    done
    kubectl -n "$namespace" patch service "$name" --subresource=status --type=merge \
      -p "{\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"$1.$number\",\"ipMode\":\"VIP\"}]}}}" || true # gone meanwhile
  done
