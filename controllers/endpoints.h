/* The endpoints controller: writes the EndpointSlices (and the older Endpoints object) of every Service with a
 * selector. */
#pragma once

#include "cleat/core/v1/core.pb-c.h"
#include "cleat/discovery/v1/discovery.pb-c.h"
#include "controllers/controller.h"
#include "controllers/pods.h"

#define ENDPOINTS_PER_SLICE 100
#define ENDPOINTS_MANAGED_BY "endpointslice-controller.k8s.io"

extern const ControllerRow endpoints_controller;

typedef Core__V1__Service Service;
typedef Discovery__V1__EndpointSlice EndpointSlice;
typedef Discovery__V1__Endpoint Endpoint;

/* Endpoints that share address type and ports: what one slice can hold. */
typedef struct {
    const char *address_type; /* static: "IPv4" or "IPv6" */
    GPtrArray *ports;         /* Discovery__V1__EndpointPort*, owned */
    GPtrArray *endpoints;     /* Endpoint*, owned */
} EndpointGroup;

/* The endpoints that a service should have; pods[0..n) are those of its namespace that match its selector. New array of
 * EndpointGroup* that owns them. Pods without an address and finished ones are left out. */
GPtrArray *endpoint_groups_new(const Service *service, const Pod *const *pods, gsize n);

/* The decisions. slices[0..n): those that this controller made for the service. pods as above. */
void endpoint_slices_plan(Plan *plan, const Service *service, GPtrArray *groups, const EndpointSlice *const *slices,
                          gsize n);
/* current: the Endpoints object of the service's name, or NULL. */
void endpoints_object_plan(Plan *plan, const Service *service, GPtrArray *groups, const Core__V1__Endpoints *current);
