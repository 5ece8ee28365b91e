/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* service_help - a small cluster, and the beginnings of Services and EndpointSlices in it. */
#include "tests/unit/model_help.h"

#define SVC(ns, name, rest)                                                                        \
	"---\n{apiVersion: v1, kind: Service, metadata: {namespace: " ns ", name: " name           \
	"}, " rest "}\n"
#define SLICE_OF(ns, name, svc, meta, rest)                                                        \
	"---\n{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, "          \
	"metadata: {namespace: " ns ", name: " name                                                \
	", labels: {kubernetes.io/service-name: " svc meta "}}, " rest "}\n"
#define SLICE(ns, svc, list)                                                                       \
	SLICE_OF(ns, svc "-1", svc, "", "endpoints: [" list "], ports: [{port: 8080}]")
#define AT(ip) "{addresses: ['" ip "']}"
#define SYNCED ", vcluster.loft.sh/managed-by: v"

/* acme: .1 .2 (.2 on n2, ready), globex .3, system .4, unassigned .5 .6, unready .7; node .100 */
#define CLUSTER                                                                                                       \
	YAML_TENANT "acme}, spec: {namespaces: [acme]}}\n" YAML_TENANT                                                \
		    "globex}, spec: {namespaces: [globex]}}\n" YAML_POD                                               \
		    "acme, name: a}, " ON_N1("10.0.0.1") YAML_POD                                                     \
		"acme, name: b}, " ON_N2("10.0.0.2") YAML_POD                                                         \
		"globex, name: a}, " ON_N1("10.0.0.3") YAML_POD                                                       \
		"kube-system, name: a}, " ON_N1("10.0.0.4") YAML_POD                                                  \
		"free, name: a}, " ON_N1("10.0.0.5") YAML_POD "free, name: b}, " ON_N1("10.0.0.6")                    \
			YAML_POD                                                                                      \
		"acme, name: c}, spec: {nodeName: n3}, status: {podIPs: [{ip: 10.0.0.7}]}}\n" YAML_POD                \
		"acme, name: host}, spec: {nodeName: n1, hostNetwork: true}, status: {podIP: 10.0.0.100}}\n" YAML_POD \
		"acme, name: done}, spec: {nodeName: n1}, status: {phase: Failed, podIP: 10.0.0.8}}\n" YAML_NODE      \
		"n1}, spec: {podCIDR: 10.0.0.0/16}, status: {addresses: [{type: InternalIP, address: "                \
		"10.0.0.100}]}}\n" YAML_NODE                                                                          \
		"n2}, status: {conditions: [{type: BulkheadReady, status: 'True'}]}}\n"
