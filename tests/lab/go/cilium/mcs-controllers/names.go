// Package controllers stands in for sigs.k8s.io/mcs-api/controllers, a module that pins an old controller-runtime.
// Cilium's operator uses one name of it.
package controllers

// DerivedServiceAnnotation names the Service that was derived from a ServiceImport.
const DerivedServiceAnnotation = "multicluster.kubernetes.io/derived-service"
