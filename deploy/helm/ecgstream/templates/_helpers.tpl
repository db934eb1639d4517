{{/* Names are those of the release: two centres may live in one cluster. */}}
{{- define "ecgstream.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels of everything; of `service` those by which it is selected. Call with (dict "root" $ "service" "sink"). */}}
{{- define "ecgstream.selector" -}}
app.kubernetes.io/name: ecgstream
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .service }}
{{- end -}}

{{- define "ecgstream.labels" -}}
{{ include "ecgstream.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end -}}

{{- define "ecgstream.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{/*
What every pod has in common. (dict "root" $ "service" "sink" "args" (list "sink") "resources" …), and where it holds:
"serves" it answers on the metrics' port, "people" it answers people, "listens" it hears devices, "claim" what it keeps
lies on a volume of its own, "image" it is another one, "static" it has a static name in Kafka's group, "before" it runs
before the release is there. Without a user at Kafka it is told nothing of Kafka.
*/}}
{{- define "ecgstream.pod" -}}
{{- $root := .root -}}
{{- $service := .service -}}
{{- if not .before }}
serviceAccountName: {{ include "ecgstream.name" $root }}
{{- end }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
terminationGracePeriodSeconds: 30
containers:
  - name: {{ $service }}
    image: {{ .image | default (include "ecgstream.image" $root) | quote }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args: {{- toYaml .args | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    {{- $user := index $root.Values.kafka.users $service }}
    {{- if $user }}
    envFrom:
      - configMapRef: {name: {{ include "ecgstream.name" $root }}}
    {{- end }}
    env:
      {{- if $user }}
      - {name: ECGSTREAM_KAFKA_USER, value: {{ $user | quote }}}
      {{- end }}
      {{- if not $user }}
      {{- range $name, $value := $root.Values.settings }}
      - {name: ECGSTREAM_{{ $name | upper }}, value: {{ $value | quote }}}
      {{- end }}
      {{- end }}
      {{- if not .serves }}
      - {name: ECGSTREAM_METRICS_PORT, value: "0"}
      {{- end }}
      {{- if .people }}
      - {name: ECGSTREAM_{{ $service | upper }}_HOST, value: "0.0.0.0"}
      {{- end }}
      {{- if eq $service "web" }}
      - {name: ECGSTREAM_CODES, value: /run/secrets/codes}
      {{- end }}
      {{- if eq $service "sealer" }}
      - {name: ECGSTREAM_AUDIT_KEY, value: /run/secrets/audit_key}
      {{- end }}
      {{- if .static }}
      # Its static name: started again under it, a worker has its partitions back at once.
      - name: ECGSTREAM_WORKER
        valueFrom: {fieldRef: {fieldPath: metadata.name}}
      {{- end }}
    {{- if .serves }}
    ports:
      - {name: metrics, containerPort: 9464}
      {{- with .people | default .listens }}
      - {name: {{ $service }}, containerPort: {{ . }}}
      {{- end }}
    # It reads back its devices before it is ready: minutes, where the log was not compacted lately.
    startupProbe:
      httpGet: {path: /health, port: metrics}
      periodSeconds: 5
      failureThreshold: 60
    # Its main loop turns. What cannot go on ends itself; this is for what hangs.
    livenessProbe:
      httpGet: {path: /health, port: metrics}
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 3
    # It has its partitions, its database.
    readinessProbe:
      httpGet: {path: /ready, port: metrics}
      periodSeconds: 5
      timeoutSeconds: 5
    {{- end }}
    resources: {{- toYaml .resources | nindent 6 }}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
      - {name: data, mountPath: /var/lib/ecgstream}
      - {name: secrets, mountPath: /run/secrets, readOnly: true}
volumes:
  - name: tmp
    emptyDir: {sizeLimit: 256Mi}
  - name: data
    {{- if .claim }}
    persistentVolumeClaim: {claimName: {{ .claim }}}
    {{- else }}
    emptyDir: {sizeLimit: 256Mi}
    {{- end }}
  - name: secrets
    projected:
      defaultMode: 0440
      sources:
        - secret: {name: {{ index $root.Values.secrets $service }}}
        {{- if $user }}
        - secret:
            name: {{ $root.Values.kafka.caSecret }}
            items: [{key: ca.pem, path: kafka_ca.pem}]
        {{- end }}
{{- end -}}

{{/* Pods of one service on machines apart. */}}
{{- define "ecgstream.apart" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: {{ .root.Values.topologyKey }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "ecgstream.selector" . | nindent 8 }}
{{- end -}}

{{/* The settings of every service; a change of them is a change of its pods. */}}
{{- define "ecgstream.settings" -}}
ECGSTREAM_KAFKA: {{ .Values.kafka.bootstrap | quote }}
ECGSTREAM_KAFKA_SECURITY: SASL_SSL
ECGSTREAM_KAFKA_CA: /run/secrets/kafka_ca.pem
ECGSTREAM_PARTITIONS: {{ .Values.kafka.partitions | quote }}
ECGSTREAM_REPLICATION: {{ .Values.kafka.replication | quote }}
{{- range $name, $value := .Values.settings }}
ECGSTREAM_{{ $name | upper }}: {{ $value | quote }}
{{- end }}
{{- end -}}
