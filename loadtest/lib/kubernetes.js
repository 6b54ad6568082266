// Which replicas there are, in a cluster: what the Service in METRICS_SERVICE
// stands for, from the API with the pod's own account. (A name's addresses would do,
// if k6 could look up more than one.)
import http from 'k6/http';

const account = '/var/run/secrets/kubernetes.io/serviceaccount';
const service = __ENV.METRICS_SERVICE;
const token = service && open(`${account}/token`);
const namespace = service && open(`${account}/namespace`);
const LOOK_AGAIN = 3_000; // replicas come and go

let known = [];
let looked = -Infinity;

// replicas returns the URLs of all replicas' metrics, those not ready included.
export function replicas(now) {
  if (now - looked < LOOK_AGAIN) return known;
  looked = now;
  const url = `https://kubernetes.default.svc/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D${service}`;
  const response = http.get(url, { headers: { Authorization: `Bearer ${token}` }, timeout: 2_000, tags: { name: 'kubernetes' } });
  if (response.status !== 200) {
    console.warn(`which replicas there are is not known: ${response.status} ${response.body || response.error}`);
    return known;
  }
  known = response.json().items.flatMap(({ endpoints, ports }) =>
    (endpoints || []).map(({ addresses }) => `http://${addresses[0].includes(':') ? `[${addresses[0]}]` : addresses[0]}:${ports[0].port}/metrics`));
  return known;
}
