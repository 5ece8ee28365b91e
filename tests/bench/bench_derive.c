/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long the model takes at the size that the design names: 10 000 pods in 500 namespaces of 200
 * tenants, a third each claimed by list, by selector and by virtual cluster, and 2000 Services.
 * Prints one JSON object.
 */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/json.h"
#include "model/model.h"

#define N_PODS 10000
#define N_NAMESPACES 500
#define N_TENANTS 200
#define N_NODES 100
#define N_SERVICES 2000
#define N_BACKENDS 5 /* of each, all of one namespace */
#define ROUNDS 21

static int put(struct bh_model *m, const char *text)
{
	bh_auto(bh_json_freep) struct bh_json *doc = NULL;
	struct bh_object *o = NULL;
	struct bh_err err = { 0 };
	int r;

	r = bh_json_parse(text, strlen(text), &doc, &err);
	if (r == 0)
		r = bh_object_decode(doc, &o, &err);
	if (r < 0) {
		(void)fprintf(stderr, "%s\n", err.msg);
		return r;
	}
	return bh_model_put(m, o);
}

#define TENANT_HEAD                                                                                \
	"{\"apiVersion\":\"bulkhead.dev/v1alpha1\",\"kind\":\"Tenant\",\"metadata\":{\"name\":"    \
	"\"t-%d\"},\"spec\":"

static int put_tenant(struct bh_model *m, int i)
{
	char text[512];

	if (i % 3 == 0)
		(void)snprintf(text, sizeof(text),
			       TENANT_HEAD "{\"namespaces\":[\"ns-%d\",\"ns-%d\"]}}", i, i,
			       i + N_TENANTS);
	else if (i % 3 == 1)
		(void)snprintf(text, sizeof(text),
			       TENANT_HEAD "{\"namespaceSelector\":{\"matchLabels\":{\"tenant\":"
					   "\"t-%d\",\"env\":\"prod-%d\"}}}}",
			       i, i, i % 7);
	else
		(void)snprintf(text, sizeof(text),
			       TENANT_HEAD "{\"virtualCluster\":{\"name\":\"vc\",\"namespace\":"
					   "\"ns-%d\"}}}",
			       i, i);
	return put(m, text);
}

static int put_namespace(struct bh_model *m, int i)
{
	char text[512];

	(void)snprintf(text, sizeof(text),
		       "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":"
		       "\"ns-%d\",\"labels\":{\"kubernetes.io/metadata.name\":\"ns-%d\","
		       "\"tenant\":\"t-%d\",\"env\":\"prod-%d\"}}}",
		       i, i, i % N_TENANTS, i % N_TENANTS % 7);
	return put(m, text);
}

static int put_pod(struct bh_model *m, int i)
{
	char text[1024];

	(void)snprintf(text, sizeof(text),
		       "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":"
		       "\"web-%d-x-default-x-vc\",\"namespace\":\"ns-%d\",\"uid\":"
		       "\"b607f671-5a2f-49dc-9f95-%012d\",\"labels\":{\"app\":\"web\","
		       "\"pod-template-hash\":\"5c689d88bb\",\"tier\":\"front\","
		       "\"vcluster.loft.sh/managed-by\":\"vc\",\"vcluster.loft.sh/namespace\":"
		       "\"default\"}},\"spec\":{\"nodeName\":\"node-%d\"},\"status\":{\"phase\":"
		       "\"Running\",\"podIPs\":[{\"ip\":\"10.%d.%d.%d\"},{\"ip\":\"fd00::%x\"}]}}",
		       i, i % N_NAMESPACES, i, i % N_NODES, 100 + i / 65536, i / 256 % 256, i % 256,
		       (unsigned int)i + 1);
	return put(m, text);
}

static int put_service(struct bh_model *m, int i)
{
	char text[2048];
	int n, r;

	(void)snprintf(
		text, sizeof(text),
		"{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"s-%d\","
		"\"namespace\":\"ns-%d\"},\"spec\":{\"clusterIPs\":[\"10.96.%d.%d\"],\"ports\":"
		"[{\"name\":\"http\",\"port\":80}]}}",
		i, i % N_NAMESPACES, i / 256, i % 256);
	r = put(m, text);
	n = snprintf(
		text, sizeof(text),
		"{\"apiVersion\":\"discovery.k8s.io/v1\",\"kind\":\"EndpointSlice\","
		"\"metadata\":{\"name\":\"s-%d-x\",\"namespace\":\"ns-%d\",\"labels\":"
		"{\"kubernetes.io/service-name\":\"s-%d\"}},\"addressType\":\"IPv4\",\"ports\":"
		"[{\"name\":\"http\",\"port\":8080}],\"endpoints\":[",
		i, i % N_NAMESPACES, i);
	for (int k = 0; k < N_BACKENDS; k++) {
		const int pod = (i + k * N_NAMESPACES) % N_PODS;

		n += snprintf(text + n, sizeof(text) - (size_t)n,
			      "%s{\"addresses\":[\"10.%d.%d.%d\"]}", k ? "," : "",
			      100 + pod / 65536, pod / 256 % 256, pod % 256);
	}
	(void)snprintf(text + n, sizeof(text) - (size_t)n, "]}");
	return r < 0 ? r : put(m, text);
}

static int put_node(struct bh_model *m, int i)
{
	char text[512];

	(void)snprintf(
		text, sizeof(text),
		"{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"node-%d\"},"
		"\"spec\":{\"podCIDRs\":[\"10.244.%d.0/24\"]},\"status\":{\"addresses\":"
		"[{\"type\":\"InternalIP\",\"address\":\"192.168.0.%d\"}],\"conditions\":"
		"[{\"type\":\"BulkheadReady\",\"status\":\"True\"}]}}",
		i, i, i + 1);
	return put(m, text);
}

static int fill(struct bh_model *m)
{
	int r = 0;

	for (int i = 0; r == 0 && i < N_TENANTS; i++)
		r = put_tenant(m, i);
	for (int i = 0; r == 0 && i < N_NAMESPACES; i++)
		r = put_namespace(m, i);
	for (int i = 0; r == 0 && i < N_NODES; i++)
		r = put_node(m, i);
	for (int i = 0; r == 0 && i < N_PODS; i++)
		r = put_pod(m, i);
	for (int i = 0; r == 0 && i < N_SERVICES; i++)
		r = put_service(m, i);
	return r;
}

static int cmp_double(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int report(const double ms[static ROUNDS], double fill_ms, size_t bytes)
{
	bh_auto(bh_json_freep) struct bh_json *j = bh_json_new_object();
	bh_autofree char *text = NULL;
	int r;

	bh_json_set_str(j, "bench", "derive");
	bh_json_set_int(j, "pods", N_PODS);
	bh_json_set_int(j, "namespaces", N_NAMESPACES);
	bh_json_set_int(j, "tenants", N_TENANTS);
	bh_json_set_int(j, "services", N_SERVICES);
	bh_json_set_num(j, "median_ms", ms[ROUNDS / 2]);
	bh_json_set_num(j, "min_ms", ms[0]);
	bh_json_set_num(j, "max_ms", ms[ROUNDS - 1]);
	bh_json_set_num(j, "decode_and_put_ms", fill_ms);
	bh_json_set_int(j, "model_bytes", (int64_t)bytes);
	r = bh_json_encode(j, true, &text);
	if (r == 0)
		(void)puts(text);
	return r;
}

int main(void)
{
	const struct bh_env env = { .node = "node-0" };
	bh_auto(bh_model_freep) struct bh_model *m = NULL;
	const size_t before = mallinfo2().uordblks;
	double ms[ROUNDS], start = (double)bh_clock_ns() / 1e6, fill_ms;
	size_t bytes;

	if (bh_model_new(&m) < 0 || fill(m) < 0)
		return 1;
	fill_ms = (double)bh_clock_ns() / 1e6 - start;
	bytes = mallinfo2().uordblks - before;
	for (int i = 0; i < ROUNDS; i++) {
		bh_auto(bh_picture_freep) struct bh_picture *p = NULL;

		start = (double)bh_clock_ns() / 1e6;
		if (bh_model_derive(m, &env, &p) < 0)
			return 1;
		ms[i] = (double)bh_clock_ns() / 1e6 - start;
	}
	qsort(ms, ROUNDS, sizeof(*ms), cmp_double);
	return report(ms, fill_ms, bytes) < 0 ? 1 : 0;
}
