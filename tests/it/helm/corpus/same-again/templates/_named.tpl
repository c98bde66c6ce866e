{{/* What is included again with the same data makes the same; these are the ways in which data is not the same. */}}
{{- define "where" }}{{ .Template.Name }}{{ end }}
{{- define "where-whole" }}{{ .Template | toJson | b64enc }} {{ keys . | sortAlpha | join "," }}{{ end }}
{{- define "asked" }}{{ .context.Template.Name }} of {{ .context.Chart.Name }}{{ end }}
{{- define "own" }}{{ .Values.own }} in {{ .Release.Name }}{{ end }}
{{- define "number" }}{{ .Values.number }}{{ end }}
{{- define "type" }}{{ printf "%T" .value }} {{ kindOf .value }}{{ end }}
{{- define "type-of-dot" }}{{ typeOf . }}{{ end }}
{{- define "has" }}{{ hasKey . "key" }} {{ get . "key" }}{{ with .key }} {{ . }}{{ end }}{{ end }}
{{- define "through" }}{{ include "number" . }}/{{ include "where" $ }}{{ end }}
{{- define "inner" }}{{ .parts.inner | toJson | squote }}{{ end }}
{{- define "count" }}{{ with . }}{{ if gt (int .left) 0 }}{{ include "count" (dict "left" (sub (int .left) 1)) }}.{{ end }}{{ end }}{{ end }}
{{- define "first-name" }}{{ index . "name" }}{{ index $ "more" "name" }}{{ end }}
{{- define "late" }}{{ if .now }}{{ template "where" .root }}{{ end }}{{ end }}
{{- define "assigned" }}{{ $ = .other }}{{ $.name }}{{ end }}
{{- define "changes" }}{{ $_ := set .Values "changed" (add1 (.Values.changed | default 0)) }}{{ .Values.changed }}{{ end }}
{{- define "item" }}<{{ . }}>{{ end }}
{{- define "whole-item" }}{{ range $key, $value := . }}{{ $key }}={{ $value }};{{ end }}{{ end }}
{{- define "replaced" }}before{{ end }}
{{- define "uses-replaced" }}{{ include "replaced" . }}{{ end }}
{{- define "declares" }}{{ template "number-of" $all := . }} {{ $all.name }}{{ end }}
{{- define "number-of" }}{{ .number }}{{ end }}
