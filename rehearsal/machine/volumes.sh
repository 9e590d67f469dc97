#!/usr/bin/env bash
# volumes.sh DIR: a stand-in for a cloud's disks: every claim gets a directory as its volume, which every node of the cloud sees.
set -eu -o pipefail
columns='{.object.metadata.namespace} {.object.metadata.name} {.object.metadata.uid} {.object.spec.resources.requests.storage} {.object.spec.volumeName}'
kubectl get pvc --all-namespaces --watch --output-watch-events -o "jsonpath=$columns{\"\n\"}" |
  while read -r namespace name uid size volume; do
    [ -z "$volume" ] || continue
    mkdir -p -m 0700 "$1/$uid"
    kubectl apply -f - <<Y
apiVersion: v1
kind: PersistentVolume
metadata: { name: "pvc-$uid" }
spec:
  accessModes: [ReadWriteOnce]
  capacity: { storage: "$size" }
  storageClassName: local
  persistentVolumeReclaimPolicy: Retain
  claimRef: { apiVersion: v1, kind: PersistentVolumeClaim, namespace: "$namespace", name: "$name", uid: "$uid" }
  local: { path: "$1/$uid" } # a hostPath would ignore a pod's fsGroup
  nodeAffinity:
    required:
      nodeSelectorTerms:
        - matchExpressions: [{ key: kubernetes.io/hostname, operator: Exists }] # any; one must be said
Y
  done
