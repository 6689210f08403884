//! The words that questions are read by, English and Portuguese, as data.
//!
//! Invariants:
//! - Every phrase is folded: lower case, no accents, no apostrophes, single blanks.
//! - `<job>`, `<ws>` and `<stream>` stand where a message names one, so a job that is named like a
//!   word of this list is never read as that word.

use std::collections::BTreeSet;

use resync_tws::model::ActionKind;

use super::intent::Intent;

/// A phrase that speaks for an intent.
pub(crate) struct Cue {
    /// For which.
    pub(crate) intent: Intent,
    /// How strongly; 1 is the strength of one plain word.
    pub(crate) weight: f64,
    /// The phrases, parted by `|`. The cue counts once, however many of them stand there.
    pub(crate) phrases: &'static str,
}

const fn cue(intent: Intent, weight: f64, phrases: &'static str) -> Cue {
    Cue {
        intent,
        weight,
        phrases,
    }
}

/// The words of a question for a cause.
pub(crate) const WHY: &str = "why|how come|what caused|whats the cause|cause of|root cause|reason|\
por que|porque|pq|pk|porq|qual o motivo|motivo|causa|qual a causa|o que causou|o que aconteceu|\
what happened|what went wrong|whats wrong with|what is wrong with|o que houve|o que deu errado|\
diagnose|diagnosis|diagnostico|diagnostique|diagnosticar|explain|explique|explica|investigate|\
investigue|troubleshoot";

/// Words of bad endings.
pub(crate) const FAILED: &str = "fail|fails|failed|failing|failure|failures|abend|abends|abended|\
abending|crash|crashed|crashes|broke|broken|blew up|died|errored|error|errors|falhou|falharam|\
falha|falhas|falhando|falhado|falhados|falhar|abendou|abendaram|abendado|abendados|quebrou|\
quebraram|deu erro|deu pau|deu ruim|erro|erros|com erro|caiu|in error";

/// Words of waiting.
pub(crate) const WAITING: &str = "waiting|wait|waits|held|holding up|not starting|not started|\
not running|not run|hasnt started|hasnt run|hasnt begun|not begun|didnt start|didnt run|did not start|\
did not run|does not start|doesnt start|need to start|needs to start|needed to start|need to run|precisa para iniciar|precisa para rodar|falta para|wont start|isnt running|isnt starting|pending|blocked|blocking|queued|stuck|\
hanging|esperando|espera|aguardando|aguarda|parado|parada|parados|travado|travada|travados|preso|\
presa|bloqueado|bloqueada|nao iniciou|nao comecou|nao rodou|nao roda|nao rodando|nao inicia|nao comeca|\
nao esta rodando|nao executou|nao startou|na fila|ainda nao|em hold|on hold|in hold|pendente|nao anda|\
nao sai do hold|segurando|dependencies|dependencias|depends on|depende de que|depende do que";

/// Words for jobs, one of which makes a question for a list one for a list of jobs.
pub(crate) const JOBS: &str =
    "job|jobs|job streams|rotina|rotinas|processo|processos|tarefa|tarefas";

/// The cues of the intents. A cue that holds another's phrase adds to it.
pub(crate) const CUES: &[Cue] = &[
    // -- the plan as a whole
    cue(
        Intent::PlanSummary,
        2.5,
        "summary|overview|resumo|visao geral|sumario|panorama|dashboard|painel|balanco|shift handover|passagem de turno do plano",
    ),
    cue(
        Intent::PlanSummary,
        2.0,
        "how is the plan|how are things|hows the plan|how is production|how is everything|how is tonights batch|how is the batch|hows the batch|hows it going|how is it going|state of the plan|status of the plan|plan status|status do plano|estado do plano|situacao do plano|situacao geral|estado geral|como esta o plano|como ta o plano|como esta a producao|como ta a producao|como estao as coisas|como esta tudo|como anda o plano|como anda a producao|como esta o batch|como ta o batch|whats going on|what is going on|anything wrong|tudo bem com o plano|tudo certo no plano|o que esta acontecendo|o que ta acontecendo|health of the plan|saude do plano|anything i should know|algo errado|algum problema|any problems|any issues",
    ),
    cue(
        Intent::PlanSummary,
        1.0,
        "plan|plano|batch|schedule overview|producao",
    ),
    // -- lists
    cue(
        Intent::JobList,
        1.4,
        "list|show me|show|which|give me all|get me|display|liste|listar|lista|mostre|mostra|mostrar|me mostra|quais|exiba|me da|me de|who is|quem esta|find all|see all|ver",
    ),
    cue(
        Intent::JobList,
        1.4,
        "how many|number of|count|count of|quantos|quantas|numero de|qtd|quantidade|total de",
    ),
    cue(
        Intent::JobList,
        0.8,
        "jobs|job streams|rotinas|processos|tarefas|anything|algum job|alguma coisa|algo|everything|todos|all the|any jobs|any job|tem job|ha jobs|ha algum|tem algum|what jobs|which jobs|que jobs|quais jobs",
    ),
    cue(
        Intent::JobList,
        1.1,
        "what is|whats|what are|what has|what failed|what abended|what else|o que esta|o que ta|o que falhou|o que abendou|o que deu erro|o que ficou|o que caiu|is there|are there|tem|existe|existem|ha",
    ),
    // -- one job
    cue(
        Intent::JobStatus,
        1.6,
        "status|state|estado|situacao|how is <job>|hows <job>|como esta o <job>|como ta o <job>|como esta <job>|como ta <job>|como foi o <job>|how did <job>|where is <job>|cade o <job>|cade <job>|tell me about <job>|what about <job>|e o <job>|and <job>|e a <job>|me fala do <job>|info|details|detalhes|informacoes",
    ),
    cue(
        Intent::JobStatus,
        1.3,
        "is <job>|did <job>|has <job>|was <job>|does <job>|will <job>|o <job> ja|<job> ja|o <job> esta|<job> esta|o <job> terminou|<job> terminou|<job> rodou|<job> finished|<job> run|<job> completed|<job> ended|<job> start|when|quando|what time|que horas|a que horas|how long|quanto tempo|ja terminou|ja rodou|ja acabou|acabou|return code|codigo de retorno|last run|ultima execucao|foi <job>|<job> foi",
    ),
    // -- its log
    cue(
        Intent::JobLog,
        3.4,
        "log|logs|joblog|job log|sysout|stdout|saida do job|output of|spool|stderr|output",
    ),
    // -- who waits for it
    cue(
        Intent::Impact,
        2.8,
        "impact|impacto|affects|affected|afeta|afetados|afetado|victims|vitimas|downstream|successors|sucessores|depends on <job>|depend on <job>|depende do <job>|dependem do <job>|depende de <job>|dependem de <job>|quem depende|o que depende|what depends|waiting for <job>|waits for <job>|waiting on <job>|esperando o <job>|esperando pelo <job>|esperam o <job>|espera o <job>|esperando <job>|blocked by <job>|bloqueado pelo <job>|bloqueados pelo <job>|blocks|bloqueia|bloqueando|trava|what happens if <job> fails|e se o <job> falhar|who is blocked|quem esta bloqueado por",
    ),
    // -- workstations
    cue(
        Intent::WorkstationStatus,
        2.2,
        "workstation|workstations|agent|agents|agente|agentes|estacao|estacoes|estacoes de trabalho|servidor|servidores|server|servers|maquina|maquinas|cpu|cpus|node|nodes|linked|unlinked|link|linkado|linkada|deslinkado|deslinkada|jobman|batchman|fora do ar|offline|online|fence|is <ws> up|is <ws> down|<ws> down|<ws> up|<ws> caiu|<ws> no ar|unreachable|conectado|desconectado|conectada|desconectada|reachable",
    ),
    cue(
        Intent::WorkstationStatus,
        1.6,
        "is <ws>|how is <ws>|status of <ws>|<ws> status|status da <ws>|status do <ws>|como esta a <ws>|como esta o <ws>|como ta a <ws>|como ta o <ws>|state of <ws>|a <ws> esta|o <ws> esta|<ws> esta",
    ),
    // -- documents
    cue(
        Intent::Knowledge,
        2.6,
        "how do i|how do we|how can i|how to|how should|what should i do|what do i do|what should we do|what to do|what are the steps|steps to|steps for|como faco|como fazer|como eu faco|como resolver|como resolvo|como tratar|como trato|como corrigir|como corrijo|como proceder|como devo|o que fazer|o que faco|o que devo fazer|o que eu faco|qual o procedimento|qual e o procedimento|procedimento|procedimentos|procedure|procedures|runbook|runbooks|manual|manuais|documentation|documentacao|document|documento|playbook|instructions for|instrucoes para|passo a passo|passos para|best practice|policy|politica|escalation|escalonamento|escalar|who do i call|quem eu chamo|quem chamar|who to call|who should i call|contact|contato|plantao|on call|handover|passagem de turno|como se faz|how does one|como reiniciar|como restartar|como limpar|como liberar|como cancelar|how is <job> restarted|knowledge base|base de conhecimento|resolution|solucao|known error|erro conhecido|fix for|fix",
    ),
    cue(
        Intent::Knowledge,
        1.8,
        "what does|what is a|what is an|what is the meaning|meaning of|o que significa|o que quer dizer|significado|what means|o que e|define|definition|difference between|diferenca entre|<msg>|explain the message|tell me about",
    ),
    // -- what I can do
    cue(
        Intent::Help,
        3.0,
        "help|ajuda|me ajuda|socorro|what can you do|what do you do|o que voce faz|o que voce sabe|o que voce pode|o que vc faz|how do you work|como voce funciona|quem e voce|who are you|commands|comandos|exemplos de perguntas|what can i ask|kind of questions|which questions|what questions|que perguntas|o que posso perguntar|capabilities|examples",
    ),
    cue(
        Intent::Greeting,
        1.6,
        "hi|hello|hey|good morning|good afternoon|good evening|good night|ola|oi|bom dia|boa tarde|boa noite|e ai|opa|thanks|thank you|obrigado|obrigada|valeu|tchau|bye|tks|thx",
    ),
];

/// Messages that try to confirm; none of them can.
pub(crate) const CONFIRMATIONS: &str = "confirm|confirmed|i confirm|yes|yes please|yep|sim|confirmo|\
confirmado|confirma|pode confirmar|go ahead|do it|proceed|pode seguir|pode fazer|manda ver|prossiga|\
execute|yes do it|sim pode|ok confirm|ok confirmo|yes confirm|sim confirmo|approve|approved|aprovo|\
aprovado|yes go ahead|confirm it|ok go ahead|sure go ahead|i approve";

/// Ways to speak of the job that was spoken of last.
pub(crate) const PRONOUNS: &str = "it|its|that job|this job|the job|same job|that one|this one|the same|\
them|dele|dela|ele|ela|esse job|este job|esse|este|o job|o mesmo|mesmo job|desse job|deste job|\
dessa rotina|essa rotina|nele|aquele job|aquele|isso|disso|him|do job|of the job";

/// The beginnings of a question that goes on from the last one.
pub(crate) const FOLLOW_UPS: &str =
    "and|e|why|por que|porque|pq|and why|e por que|and its|and the|so|entao|mas|but";

/// Commands, by action. The verb's forms of command and wish; its past is a question, not a wish.
pub(crate) const COMMANDS: &[(ActionKind, &str)] = &[
    (
        ActionKind::Rerun,
        "rerun|re-run|reruns|rerunning|restart|re-start|restarting|run again|run <job> again|run it again|run the job again|retry|relaunch|reexecute|re-execute|reexecutar|re-executar|reexecuta|reexecucao|rodar de novo|rodar novamente|rode de novo|rode novamente|roda de novo|roda novamente|rodar o <job> de novo|rodar <job> de novo|rode o <job> de novo|rode o <job> novamente|rode <job> novamente|rode <job> de novo|roda o <job> de novo|roda <job> de novo|roda ele de novo|rodar o <job> novamente|rodar <job> novamente|reiniciar|reinicie|reinicia|reprocessar|reprocesse|reprocessa|restarta|restartar|restarte|executar novamente|execute novamente|executa de novo|execute <job> again|resubmit|re-rodar|rerodar|redispara|redispare|rode outra vez",
    ),
    (
        ActionKind::Hold,
        "hold|put on hold|put <job> on hold|put it on hold|put in hold|place on hold|place <job> on hold|segurar|segure|segura|colocar em hold|coloque em hold|coloca em hold|coloque o <job> em hold|coloque <job> em hold|coloca o <job> em hold|coloca <job> em hold|bota em hold|bota o <job> em hold|por em hold|ponha em hold|ponha o <job> em hold|holdar|hold the|pausar|pause|pausa|suspender|suspenda|suspend",
    ),
    (
        ActionKind::Release,
        "release|releasing|unhold|liberar|libere|libera|soltar|solte|solta|tirar do hold|tire do hold|tira do hold|tire o <job> do hold|tira o <job> do hold|tirar o <job> do hold|release it|let <job> go|take <job> off hold|take it off hold|take off hold|resume|unblock|desbloquear|desbloqueie",
    ),
    (
        ActionKind::Cancel,
        "cancel|cancelling|canceling|cancelar|cancele|cancela|cancelem|remove from the plan|take out of the plan|remover do plano|remova do plano|tirar do plano|tire do plano|abort|abortar|aborte",
    ),
    (
        ActionKind::Kill,
        "kill|killing|matar|mate|mata|terminate|encerrar|encerre|encerra|derrubar|derrube|derruba|finalizar|finalize",
    ),
    (
        ActionKind::Confirm,
        "confirm <job>|set <job> to success|set <job> to succ|set it to success|set the job to success|set the job to succ|mark <job> as success|mark <job> as successful|mark <job> succ|mark it as success|force complete|force success|set to success|set to succ|mark as success|mark as successful|marcar como sucesso|marque como sucesso|marque o <job> como sucesso|marcar o <job> como sucesso|confirme o <job>|confirmar o <job>|confirma o <job>|confirme <job>|force success of",
    ),
    (
        ActionKind::Priority,
        "change priority|set priority|set the priority|change the priority|raise the priority|lower the priority|raise priority|mudar a prioridade|mude a prioridade|altere a prioridade|alterar a prioridade|aumentar a prioridade|aumente a prioridade|muda a prioridade|priority of <job> to|prioridade do <job> para",
    ),
];

/// Words before a command that turn it into its opposite, within four words.
pub(crate) const NEGATIONS: &str = "dont|do not|not|never|no need to|without|nao|nunca|jamais|sem|nem|\
shouldnt|should not|wouldnt|would not|couldnt|isnt to be|not be|must not|mustnt|cannot|cant|avoid|evite|evitar|stop|pare de|wont|no longer|instead of|em vez de|rather than|neither|nor|naum|dnt|donot|not to";

/// Words that, up to five words before a command, ask about it instead of giving it.
pub(crate) const ABOUT: &str = "how do i|how do we|how to|how can i|how should|how does|how is|como|\
what happens if|what if|o que acontece se|e se|se eu|if i|if we|should i|should we|i should|eu devo|\
devo|deveria|deveriamos|devemos|can i|can we|could i|may i|posso|podemos|when was|quando foi|do i have to|do we have to|do i need to|do we need to|must i|need i|tenho que|tenho de|preciso mesmo|is it safe to|\
is it ok to|e seguro|procedure to|procedure for|procedimento de|procedimento para|procedimento do|\
runbook for|runbook de|runbook do|before i|antes de|after a|after the|depois de|apos|did someone|\
did anyone|has anyone|alguem|steps to|passos para|allowed to|permission to|permissao para|what does|\
o que significa|what is|o que e|why is|why was|qual|which|quais|list|liste|lista|show|mostre|mostra|\
how many|quantos|what about|a way to|tem como|da para|da pra|vale a pena|preciso de ajuda para";

/// Words that, right before a command, make it a thing or a state.
pub(crate) const THING: &str = "in|on|em|no|is|are|was|were|the|a|an|o|os|um|last|ultimo|ultima|still|\
status|jobs|job in|foi|automatic|automatico|auto|por|de|of|every|each|its|this|that|esta|estao|ta";

/// Words that make a command of what [`ABOUT`] or [`THING`] would excuse.
pub(crate) const WISHES: &str = "i want to|i need to|i would like to|id like to|please|quero|preciso|\
gostaria de|por favor|can you|could you|would you|voce pode|pode por favor|favor|vamos|lets";

/// Words that may stand before a command.
pub(crate) const FILLERS: &str = "please por favor can could would will you voce vc pode poderia just now \
ok okay so i we want need needs like id to quero queremos preciso precisamos precisa gostaria de que \
manda mandar vamos lets let us go ahead agora hey hi ola oi bom dia boa tarde noite hello the job o a \
also tambem kindly urgent urgente yes sim try tente tenta must have has tem its it immediately ja";

/// Words behind which a new clause begins.
pub(crate) const CLAUSES: &str = "and then e entao depois but mas";

/// Statuses in their normal form, by the words for them.
pub(crate) const STATUSES: &[(&str, &str)] = &[
    (
        "ABEND",
        "abend|abends|abended|abending|abendou|abendaram|abendado|abendados|abendada|abendadas",
    ),
    (
        "FAIL",
        "fail|fails|failed|failing|failure|failures|falhou|falharam|falha|falhas|falhado|falhados|falhando|com falha|com erro|deu erro|deram erro|deu pau|em erro|in error|crashed|quebrou|quebraram|broken|errored|broke|crash|crashes|died|blew up|bombed|com problema|com problemas|went wrong|caiu|cairam",
    ),
    (
        "STUCK",
        "stuck|travado|travada|travados|travadas|preso|presa|presos|hung|hanging|empacado|empacados",
    ),
    (
        "EXEC",
        "running|executing|in execution|em execucao|rodando|executando|exec|in progress|em andamento|active|ativos",
    ),
    (
        "LATE",
        "late|delayed|overdue|behind schedule|running late|atrasado|atrasada|atrasados|atrasadas|atraso|atrasos|em atraso|past deadline|missed deadline|fora do prazo",
    ),
    (
        "READY",
        "ready|pronto|pronta|prontos|na fila|queued|in the queue|in queue|enfileirado|enfileirados",
    ),
    (
        "HOLD",
        "on hold|in hold|held|em hold|no hold|waiting|aguardando|esperando|em espera|a espera|segurado|segurados|seguro em hold|hold jobs|jobs hold",
    ),
    (
        "SUCC",
        "succ|success|successful|successfully|succeeded|completed|finished|done|ended ok|ended well|concluido|concluidos|concluida|concluidas|com sucesso|sucesso|terminou bem|terminaram|finalizado|finalizados|finalizaram|completaram|completados",
    ),
    (
        "CANCL",
        "cancelled|canceled|cancelado|cancelados|cancelada|canceladas",
    ),
    (
        "PEND",
        "pend|awaiting confirmation|waiting for confirmation|aguardando confirmacao|esperando confirmacao",
    ),
    ("SUSP", "susp|suspended|suspenso|suspensos"),
    ("FENCE", "fenced"),
    ("SUPPR", "suppressed|suprimido|suprimidos"),
    (
        "LONG",
        "long running|long-running|running long|running too long|taking too long|rodando ha muito tempo|demorando|demorado|demorados|slow|lento|lentos|muito tempo rodando",
    ),
    (
        "PROMPT",
        "prompt|prompts|waiting for a reply|aguardando resposta|perguntas pendentes",
    ),
    (
        "UNLINKED",
        "unlinked|deslinkado|deslinkada|deslinkados|deslinkadas|fora do ar|offline|down|desconectado|desconectada|desconectadas|desconectados",
    ),
    (
        "LINKED",
        "linked|linkado|linkada|no ar|online|conectado|conectada",
    ),
];

/// Spans of time in their normal form, by the words for them.
pub(crate) const WINDOWS: &[(&str, &str)] = &[
    (
        "last_night",
        "last night|ontem a noite|noite passada|essa noite passada|na ultima noite|durante a noite|overnight|esta madrugada|de madrugada|na madrugada",
    ),
    ("tonight", "tonight|hoje a noite|esta noite|essa noite"),
    (
        "now",
        "now|right now|agora|neste momento|no momento|currently|atualmente|at the moment",
    ),
    ("today", "today|hoje"),
    ("yesterday", "yesterday|ontem"),
    ("tomorrow", "tomorrow|amanha"),
    ("last_week", "last week|semana passada|na ultima semana"),
    (
        "this_week",
        "this week|esta semana|essa semana|nesta semana",
    ),
    ("last_month", "last month|mes passado|no ultimo mes"),
    ("this_month", "this month|este mes|esse mes|neste mes"),
];

/// Words before a name that say that it is a job's.
pub(crate) const JOB_WORDS: &str = "job rotina processo tarefa";
/// Words before a name that say that it is a stream's.
pub(crate) const STREAM_WORDS: &str = "stream jobstream schedule fluxo cadeia malha application";
/// Words before a name that say that it is a workstation's.
pub(crate) const WORKSTATION_WORDS: &str =
    "workstation agent agente estacao server servidor maquina cpu node";
/// Words beside which a plain word may be a name.
pub(crate) const BESIDE_NAMES: &str = "did does is has was were why que of about sobre do da de porque pq \
rerun restart hold release cancel kill reexecutar reexecute cancele cancelar libere liberar segure \
segurar reinicie reiniciar for status log and e estado rode roda rodar estava esta foi is";
/// Words after a plain word that make it a name.
pub(crate) const AFTER_NAMES: &str = "failed fail fails failing abend abended abending falhou abendou \
waiting running stuck late status finished ended started start rodou terminou travou esta ja again \
novamente log not nao deu deram broke crashed quebrou atrasou hasnt didnt isnt";

/// Capitals that are no names.
pub(crate) const ACRONYMS: &str = "rc sql tws hwa hcl ibm oom eod cpu api ftp sftp db2 sla ok id pin utc \
brt gmt jcl dba ddl url http https ssl tls json xml csv pdf eof io os lx win unix linux aix zos jvm gc \
faq sap erp etl vpn dns tcp ip ssh cet bst est iws twa dwc rto rpo hoje urgente urgent asap please why \
what por favor que nao yes sim and the or not all sop";

/// Every word that stands in a phrase above, to correct slips of the pen towards.
pub(crate) fn words() -> BTreeSet<&'static str> {
    let cues = CUES.iter().map(|cue| cue.phrases);
    let tables = STATUSES.iter().chain(WINDOWS).map(|(_, phrases)| *phrases);
    let commands = COMMANDS.iter().map(|(_, phrases)| *phrases);
    let lists = [
        WHY,
        FAILED,
        WAITING,
        CONFIRMATIONS,
        PRONOUNS,
        FOLLOW_UPS,
        NEGATIONS,
        ABOUT,
        THING,
        WISHES,
        JOB_WORDS,
        STREAM_WORDS,
        WORKSTATION_WORDS,
        BESIDE_NAMES,
        AFTER_NAMES,
    ];
    cues.chain(tables)
        .chain(commands)
        .chain(lists)
        .flat_map(|phrases| phrases.split(['|', ' ']))
        .filter(|word| !word.is_empty() && !word.starts_with('<'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_is_folded() {
        for word in words() {
            assert_eq!(crate::text::fold(word), *word);
            assert!(!word.contains('\''), "{word}");
        }
    }

    #[test]
    fn no_phrase_is_empty() {
        for cue in CUES {
            assert!(
                cue.phrases
                    .split('|')
                    .all(|phrase| !phrase.trim().is_empty())
            );
        }
    }
}
