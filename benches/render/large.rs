//! A large chart such as platform teams write: 40 components of six kinds each, a file for every object, 48 helpers
//! that call each other, `tpl` over values, checksums of what other templates make.

use std::fmt::Write as _;
use std::path::Path;

const COMPONENTS: usize = 40;
const HELPERS: usize = 48;
const KINDS: [(&str, &str); 6] = [
    ("config-map", CONFIG_MAP),
    ("deployment", DEPLOYMENT),
    ("service", SERVICE),
    ("service-account", SERVICE_ACCOUNT),
    ("ingress", INGRESS),
    ("autoscaler", AUTOSCALER),
];

/// Writes the chart into a folder.
pub(crate) fn write(place: &Path) {
    let templates = place.join("templates");
    std::fs::create_dir_all(&templates).unwrap();
    let chart = "apiVersion: v2\nname: platform\nversion: 1.2.3\nappVersion: \"4.5.6\"\n";
    std::fs::write(place.join("Chart.yaml"), chart).unwrap();
    std::fs::write(place.join("values.yaml"), values()).unwrap();
    std::fs::write(templates.join("_helpers.tpl"), helpers()).unwrap();
    for number in 0..COMPONENTS {
        for (kind, text) in KINDS {
            let file = templates.join(format!("{kind}-{number:02}.yaml"));
            let text = [SCOPE, text].concat().replace("NUMBER", &format!("{number:02}"));
            std::fs::write(file, text).unwrap();
        }
    }
}

fn values() -> String {
    let mut out =
        "global:\n  domain: example.com\n  registry: registry.example.com\ncomponents:\n".to_owned();
    for number in 0..COMPONENTS {
        let _ = write!(
            out,
            "  c{number:02}:
    replicas: {replicas}
    image: {{repository: shop/service-{number:02}, tag: \"\"}}
    host: '{{{{ .component }}}}.{{{{ .Values.global.domain }}}}'
    # The ports that the service shows.
    ports:
      - {{name: http, port: 80, target: 8080}}
      - {{name: metrics, port: 9090, target: 9090}}
    resources:
      requests: {{cpu: {cpu}m, memory: {memory}Mi}}
      limits: {{memory: {limit}Mi}}
    env:
      LOG_LEVEL: info
      UPSTREAM: 'http://service-{number:02}.{{{{ .Release.Namespace }}}}.svc'
      FEATURE_{number:02}: \"true\"
      TIMEOUT: {number}s
    config:
      server: {{listen: \"0.0.0.0:8080\", workers: {replicas}}}
      database: {{host: database-{number:02}, port: 5432, pool: {{least: 2, most: 20}}}}
      features: [search, checkout, recommendations-{number:02}]
    annotations: {{prometheus.io/scrape: \"true\", prometheus.io/port: \"9090\"}}
    autoscaling: {{least: {replicas}, most: {most}, target: 80}}
",
            replicas = number % 4 + 1,
            cpu = 50 + number * 5,
            memory = 64 + number * 8,
            limit = 128 + number * 16,
            most = number % 4 + 5,
        );
    }
    out
}

/// The base helpers, and more that each call the one before.
fn helpers() -> String {
    let mut out = BASE.to_owned();
    let base = BASE.matches("{{- define").count();
    for number in base..HELPERS {
        let called = match number % 4 {
            0 => "platform.labels",
            1 => "platform.selector",
            2 => "platform.name",
            _ => "platform.image",
        };
        let _ = write!(
            out,
            "{{{{- define \"platform.extra-{number}\" -}}}}
{{{{- $name := include \"platform.name\" . -}}}}
{{{{- if contains \"{number}\" $name }}}}
{{{{ include \"{called}\" . }}}}
{{{{- else }}}}
{{{{- printf \"%s-%d\" $name {number} | trunc 63 | trimSuffix \"-\" }}}}
{{{{- end }}}}
{{{{- end }}}}
"
        );
    }
    out
}

const BASE: &str = r#"{{- define "platform.name" -}}
{{- printf "%s-%s" .Release.Name .component | trunc 63 | trimSuffix "-" -}}
{{- end }}
{{- define "platform.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- end }}
{{- define "platform.selector" -}}
app.kubernetes.io/name: {{ .component }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "platform.labels" -}}
helm.sh/chart: {{ include "platform.chart" . }}
{{ include "platform.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
{{- define "platform.image" -}}
{{- $image := .values.image -}}
{{- printf "%s/%s:%s" .Values.global.registry $image.repository ($image.tag | default .Chart.AppVersion) -}}
{{- end }}
{{- define "platform.environment" -}}
{{- range $name, $value := .values.env }}
- name: {{ $name }}
  value: {{ tpl ($value | toString) $ | quote }}
{{- end }}
{{- end }}
"#;

/// Every template begins with what its helpers need.
const SCOPE: &str = r#"{{- $scope := dict "component" "cNUMBER" "values" .Values.components.cNUMBER "Values" .Values "Release" .Release "Chart" .Chart "Template" .Template -}}
"#;

const CONFIG_MAP: &str = r#"apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "platform.name" $scope }}
  labels:
    {{- include "platform.labels" $scope | nindent 4 }}
data:
  config.yaml: |
    {{- toYaml $scope.values.config | nindent 4 }}
  host: {{ tpl $scope.values.host $scope | quote }}
  extra: {{ include "platform.extra-12" $scope | quote }}
  more: {{ include "platform.extra-21" $scope | b64enc | quote }}
"#;

const DEPLOYMENT: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "platform.name" $scope }}
  labels:
    {{- include "platform.labels" $scope | nindent 4 }}
spec:
  replicas: {{ $scope.values.replicas }}
  selector:
    matchLabels:
      {{- include "platform.selector" $scope | nindent 6 }}
  template:
    metadata:
      annotations:
        checksum/config: {{ include (print $.Template.BasePath "/config-map-NUMBER.yaml") . | sha256sum }}
        {{- with $scope.values.annotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      labels:
        {{- include "platform.labels" $scope | nindent 8 }}
    spec:
      serviceAccountName: {{ include "platform.name" $scope }}
      containers:
        - name: {{ $scope.component }}
          image: {{ include "platform.image" $scope | quote }}
          env:
            {{- include "platform.environment" $scope | trim | nindent 12 }}
          ports:
            {{- range $scope.values.ports }}
            - name: {{ .name }}
              containerPort: {{ .target }}
              protocol: TCP
            {{- end }}
          {{- if $scope.values.resources }}
          resources:
            {{- toYaml $scope.values.resources | nindent 12 }}
          {{- end }}
          livenessProbe: {httpGet: {path: /alive, port: http}}
          readinessProbe: {httpGet: {path: /ready, port: http}}
          volumeMounts:
            - {name: config, mountPath: /etc/{{ $scope.component }}}
      volumes:
        - name: config
          configMap: {name: {{ include "platform.name" $scope | quote }}}
"#;

const SERVICE: &str = r#"apiVersion: v1
kind: Service
metadata:
  name: {{ include "platform.name" $scope }}
  labels:
    {{- include "platform.labels" $scope | nindent 4 }}
spec:
  selector:
    {{- include "platform.selector" $scope | nindent 4 }}
  ports:
    {{- range $scope.values.ports }}
    - name: {{ .name }}
      port: {{ .port }}
      targetPort: {{ .name }}
      protocol: TCP
    {{- end }}
"#;

const SERVICE_ACCOUNT: &str = r#"apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "platform.name" $scope }}
  labels:
    {{- include "platform.labels" $scope | nindent 4 }}
  annotations:
    example.com/extra: {{ include "platform.extra-30" $scope | quote }}
    example.com/more: {{ include "platform.extra-47" $scope | upper | quote }}
"#;

const INGRESS: &str = r#"{{- $host := tpl $scope.values.host $scope -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ include "platform.name" $scope }}
  labels:
    {{- include "platform.labels" $scope | nindent 4 }}
spec:
  tls:
    - hosts: [{{ $host | quote }}]
      secretName: {{ $host | replace "." "-" }}-tls
  rules:
    - host: {{ $host | quote }}
      http:
        paths:
          {{- range $index, $port := $scope.values.ports }}
          - path: /{{ if $index }}{{ $port.name }}{{ end }}
            pathType: Prefix
            backend:
              service:
                name: {{ include "platform.name" $scope }}
                port: {name: {{ $port.name }}}
          {{- end }}
"#;

const AUTOSCALER: &str = r#"apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "platform.name" $scope }}
  labels:
    {{- include "platform.labels" $scope | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "platform.name" $scope }}
  minReplicas: {{ $scope.values.autoscaling.least }}
  maxReplicas: {{ max $scope.values.autoscaling.most $scope.values.autoscaling.least }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ $scope.values.autoscaling.target }}}
"#;
